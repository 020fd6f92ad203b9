import * as Y from 'yjs'
import type { Random } from './random.ts'

/** A client that edits at random, with everything Yjs has: text, arrays, maps, XML, nesting, subdocuments, undo. */
export interface Author {
  readonly doc: Y.Doc
  /** Updates of its own edits, oldest first. */
  readonly updates: Uint8Array[]
  /** Makes one random change. */
  edit(): void
}

const ROOTS = { text: 'text', array: 'array', map: '', xml: 'xml' } as const

const WORDS = ['a', 'lorem ', 'ipsum', 'é', '漢字', '-', 'x'.repeat(40)]
const KEYS = ['a', 'b', 'c', 'long key with spaces', '']

const createRoots = (doc: Y.Doc) => ({
  text: doc.getText(ROOTS.text),
  array: doc.getArray<unknown>(ROOTS.array),
  map: doc.getMap<unknown>(ROOTS.map),
  xml: doc.getXmlFragment(ROOTS.xml),
})

export const createAuthor = (random: Random, clientId: number, { gc = true } = {}): Author => {
  const doc = new Y.Doc({ gc, guid: `author-${clientId}` })
  doc.clientID = clientId
  const roots = createRoots(doc)
  const undo = new Y.UndoManager([roots.text, roots.array, roots.map], { captureTimeout: 0, doc })
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction: Y.Transaction) => {
    if (transaction.local) updates.push(update)
  })

  const json = (depth = 0): unknown => {
    switch (random.between(0, depth > 2 ? 5 : 7)) {
      case 0:
        return random.between(-1000, 2 ** 30)
      case 1:
        return random.pick(WORDS)
      case 2:
        return random.chance(0.5)
      case 3:
        return null
      case 4:
        return random.between(0, 1000) / 7
      case 5:
        return '😀'
      case 6:
        return { [random.pick(KEYS)]: json(depth + 1), n: 1 }
      default:
        return [json(depth + 1), json(depth + 1)]
    }
  }

  const value = (): unknown => {
    switch (random.between(0, 9)) {
      case 0:
        return new Y.Map([[random.pick(KEYS), json()]])
      case 1:
        return Y.Array.from([json(), json()] as object[])
      case 2:
        return new Y.Text(random.pick(WORDS))
      case 3:
        return Uint8Array.of(1, 2, random.between(0, 255))
      case 4:
        return { big: 2n ** 40n, nothing: undefined }
      case 5: {
        const options = random.chance(0.5) ? { meta: json(), autoLoad: true } : { gc: false }
        return new Y.Doc({ guid: `sub-${random.between(0, 1e6)}`, ...options })
      }
      default:
        return json()
    }
  }

  const editText = (text: Y.Text): void => {
    const at = random.between(0, text.length)
    const left = text.length - at
    switch (random.between(0, 7)) {
      case 0:
      case 1:
        if (left > 0) text.delete(at, random.between(1, Math.min(left, 12)))
        break
      case 2:
        if (left > 0) text.format(at, random.between(1, left), { bold: random.chance(0.5) ? true : null })
        break
      case 3:
        text.insert(at, random.pick(WORDS), { [random.pick(['bold', 'link'])]: json() as object })
        break
      case 4:
        text.insertEmbed(at, { image: json() })
        break
      default:
        text.insert(at, random.pick(WORDS))
    }
  }

  const editArray = (array: Y.Array<unknown>): void => {
    const at = random.between(0, array.length)
    if (at < array.length && random.chance(0.35)) array.delete(at, random.between(1, Math.min(3, array.length - at)))
    else if (random.chance(0.5)) array.insert(at, [value()])
    else array.insert(at, [json(), json(), json()])
  }

  const editMap = (map: Y.Map<unknown>): void => {
    const key = random.pick(KEYS)
    if (random.chance(0.25)) map.delete(key)
    else if (random.chance(0.03)) map.clear()
    else if (random.chance(0.05)) map.set(key, 2n ** 40n)
    else map.set(key, random.chance(0.05) ? new Y.XmlHook('hook') : value())
  }

  const editXml = (xml: Y.XmlFragment): void => {
    const at = random.between(0, xml.length)
    if (at < xml.length && random.chance(0.3)) {
      xml.delete(at, 1)
    } else if (random.chance(0.5)) {
      const element = new Y.XmlElement(random.pick(['p', 'div', 'h1']))
      element.setAttribute('class', random.pick(WORDS))
      xml.insert(at, [element])
    } else {
      xml.insert(at, [new Y.XmlText(random.pick(WORDS))])
    }
    if (xml instanceof Y.XmlElement && random.chance(0.5)) {
      if (random.chance(0.7)) xml.setAttribute(random.pick(['id', 'class']), random.pick(WORDS))
      else xml.removeAttribute('class')
    }
  }

  const editType = (type: unknown): void => {
    if (type instanceof Y.Text) editText(type)
    else if (type instanceof Y.Array) editArray(type)
    else if (type instanceof Y.Map) editMap(type)
    else if (type instanceof Y.XmlFragment) editXml(type)
  }

  /** A type in the document: a root, or something nested in it. */
  const anyType = (): unknown => {
    let type: unknown = random.pick(Object.values(roots))
    while (random.chance(0.6)) {
      const children: unknown[] =
        type instanceof Y.Map
          ? [...type.values()]
          : type instanceof Y.Array || type instanceof Y.XmlFragment
            ? type.toArray()
            : []
      const nested = children.filter((child) => child instanceof Y.AbstractType)
      if (nested.length === 0) break
      type = random.pick(nested)
    }
    return type
  }

  const edit = (): void => {
    if (random.chance(0.08)) {
      undo.undo()
    } else if (random.chance(0.04)) {
      undo.redo()
    } else if (random.chance(0.2)) {
      doc.transact(() => {
        for (let n = random.between(2, 8); n > 0; n--) editType(anyType())
      })
    } else {
      editType(anyType())
    }
  }

  return { doc, updates, edit }
}

/** Random client ids of all sizes, none twice. */
export const randomClientIds = (random: Random, count: number): number[] => {
  const ids = new Set<number>()
  while (ids.size < count) ids.add(random.chance(0.5) ? random.between(0, 2 ** 32 - 1) : random.between(0, 300))
  return [...ids]
}

export const hasPending = (doc: Y.Doc): boolean => doc.store.pendingStructs !== null || doc.store.pendingDs !== null

/**
 * A document of untyped roots that makes no change of its own. Yjs removes superfluous format marks of nested texts
 * after a remote change, at other moments depending on how updates were merged; clients tell each other of it.
 */
export const createReader = (): Y.Doc => {
  const doc = new Y.Doc()
  doc.on('afterTransaction', (transaction: Y.Transaction) => {
    transaction._needFormattingCleanup = false
  })
  return doc
}

export const readerOf = (updates: Iterable<Uint8Array>): Y.Doc => {
  const doc = createReader()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

/**
 * The document's state in base64, equal for equal documents: where deleted runs are cut depends on the order they came
 * in, but no more after loading them whole.
 */
export const stateOf = (doc: Y.Doc): string =>
  Buffer.from(Y.encodeStateAsUpdate(readerOf([Y.encodeStateAsUpdate(doc)]))).toString('base64')

/** Authors that work apart and meet at times, in pairs, by every way in which Yjs hands updates over. */
export const writeTogether = (random: Random, authors: readonly Author[], edits: number): void => {
  for (let n = 0; n < edits; n++) {
    const author = random.pick(authors)
    author.edit()
    if (random.chance(0.15)) {
      const other = random.pick(authors)
      const theirs = random.chance(0.8) ? Y.encodeStateVector(other.doc) : undefined
      Y.applyUpdate(other.doc, Y.encodeStateAsUpdate(author.doc, theirs))
    }
  }
}

/** All edits of the authors as a server may see them: each author's own in order, the authors interleaved. */
export const interleave = (random: Random, authors: readonly Author[]): Uint8Array[] => {
  const queues = authors.map((author) => [...author.updates]).filter((queue) => queue.length > 0)
  const edits: Uint8Array[] = []
  while (queues.length > 0) {
    const queue = random.pick(queues)
    edits.push(queue.shift()!)
    if (queue.length === 0) queues.splice(queues.indexOf(queue), 1)
  }
  return edits
}
