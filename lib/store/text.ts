import type * as Y from 'yjs'
import type { Node } from './graph.ts'
import { hints } from './hints.ts'
import { type LiveText, NODE } from './live.ts'
import { fail } from './parse.ts'
import { assign, parseIn, spliceText, write } from './write.ts'

const checkRange = (node: Node, index: number, count: number): void => {
  const { length } = node.y as Y.Text
  if (!Number.isInteger(index) || !Number.isInteger(count) || index < 0 || count < 0 || index + count > length) {
    fail('INVALID_VALUE', node.path, `${index} to ${index + count} is out of range`, hints.textRange?.(length))
  }
}

const parseText = (node: Node, text: unknown): string => parseIn(node, node.schema, text) as string

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
    return this.#node.y as Y.Text
  }

  get length(): number {
    this.#node.track(null)
    return this.y.length
  }

  toString(): string {
    this.#node.track(null)
    return this.#node.snapshot() as string
  }

  toJSON(): string {
    return this.toString()
  }

  insert(index: number, text: string): void {
    const node = this.#node
    checkRange(node, index, 0)
    const inserted = parseText(node, text)
    write(node, () => spliceText(node, index, 0, inserted))
  }

  delete(index: number, length: number): void {
    checkRange(this.#node, index, length)
    write(this.#node, () => spliceText(this.#node, index, length, ''))
  }

  set(text: string): void {
    const stored = parseText(this.#node, text)
    write(this.#node, () => assign(this.#node, stored))
  }
}

export const createText = (node: Node): unknown => new TextFace(node)
