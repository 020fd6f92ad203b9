/** Texts that several people can write at once: `s.text()`, kept as a `Y.Text`. */
import * as Y from 'yjs'
import { fail } from './failure.ts'
import { changed, pathOf, snapshot, track } from './graph.ts'
import { type LiveText, NODE } from './live.ts'
import { checkText, isCount, readText } from './parse.ts'
import { define, type Node, type Schema, type Stored } from './schema.ts'
import { common, parseIn, replaceContent, write } from './write.ts'

const yOf = (node: Node): Y.Text => node.y as Y.Text

type Op = { insert: unknown; attributes?: object }

/** The pieces of a text, each a string or what is embedded, which counts one. */
const opsOf = (y: Y.Text): Op[] => y.toDelta()

/** The characters of a text by their indexes. */
const contentOf = (y: Y.Text): string =>
  opsOf(y)
    .map(({ insert }) => readText(insert) ?? '\ufffc')
    .join('')

/** The part of a text from `from` to `to`, with its formats. */
const cut = (y: Y.Text, from: number, to: number): Op[] => {
  let at = -from
  return opsOf(y).flatMap((op) => {
    const text = readText(op.insert) ?? [op.insert]
    const part = text.slice(Math.max(-at, 0), Math.max(to - from - at, 0))
    at += text.length
    return part.length ? { ...op, insert: readText(part) ?? part[0] } : []
  })
}

/** Whether `index` lies between the halves of a surrogate pair. */
const splits = (text: string, index: number): boolean => text.codePointAt(index - 1)! > 0xffff

/** Replaces a range of a text. Ends that would split a surrogate pair move outwards: Yjs would destroy both halves. */
const splice = (node: Node, index: number, count: number, inserted: string): void => {
  const y = yOf(node)
  const text = contentOf(y)
  const start = splits(text, index) ? index - 1 : index
  let end = index + count
  if (count > 0 && splits(text, end)) end++
  const length = count && end - start
  if (length === 0 && inserted === '') return
  if (node.graph.log) {
    const before = cut(y, start, start + length)
    node.graph.log.push(() => {
      const restored = yOf(node)
      restored.delete(start, inserted.length)
      restored.applyDelta([{ retain: start }, ...before])
      changed(node, [null])
    })
  }
  y.delete(start, length)
  y.insert(start, inserted)
  changed(node, [null])
}

/** Makes a text equal to `stored` by changing only the differing middle. */
const set = (node: Node, stored: Stored = ''): void => {
  const next = stored as string
  const old = contentOf(yOf(node))
  let [start, end] = common(old.length, next.length, (index, nextIndex) => old[index] === next[nextIndex])
  if (splits(old, start) || splits(next, start)) start--
  if (splits(old, old.length - end) || splits(next, next.length - end)) end--
  splice(node, start, old.length - end - start, next.slice(start, next.length - end))
}

const checkRange = (node: Node, index: number, count: number): void => {
  const { length } = yOf(node)
  if (!isCount(index) || !isCount(count) || index + count > length) {
    fail('INVALID_VALUE', pathOf(node), `${index} to ${index + count} is outside a text of ${length}`)
  }
}

class TextFace implements LiveText {
  readonly #node: Node

  constructor(node: Node) {
    this.#node = node
    Object.freeze(this)
  }

  get [NODE](): Node {
    return this.#node
  }

  get y(): Y.Text {
    return yOf(this.#node)
  }

  get length(): number {
    track(this.#node, null)
    return this.y.length
  }

  toString(): string {
    track(this.#node, null)
    return snapshot(this.#node) as string
  }

  toJSON(): string {
    return this.toString()
  }

  insert(index: number, text: string): void {
    const node = this.#node
    checkRange(node, index, 0)
    const inserted = parseIn(node, node.schema, text) as string
    write(node, () => splice(node, index, 0, inserted))
  }

  delete(index: number, length: number): void {
    checkRange(this.#node, index, length)
    write(this.#node, () => splice(this.#node, index, length, ''))
  }

  set(text: string): void {
    replaceContent(this.#node, text)
  }
}

/** A text that several people can write at once. */
export const text = (): Schema<LiveText, string | LiveText, string, 'default'> =>
  define({
    kind: 'text',
    type: Y.Text,
    empty: '',
    check: checkText,
    read: readText,
    build: (stored) => (typeof stored === 'string' ? new Y.Text(stored) : undefined),
    face: (node) => new TextFace(node),
    copy: (node) => yOf(node).toString(),
    assign: set,
  })
