/** Random documents and patches from a printed seed. */
import * as Y from 'yjs'
import type { Random } from '../fuzz/random.ts'

// Few letters, and characters that share one half of their surrogate pairs: diffs meet in the middle of them.
const CHARACTERS = ['a', 'b', '😀', '😁', '🈀', 'é', '\n', '👩‍💻']
const KEYS = ['a', 'b', 'c', 'constructor', 'toString', '']

export const randomText = (random: Random): string =>
  Array.from({ length: random.between(0, 5) }, () => random.pick(CHARACTERS)).join('')

const randomScalar = (random: Random): null | boolean | number | string =>
  random.pick([
    () => null,
    () => random.chance(0.5),
    () => random.between(0, 3),
    () => random.between(0, 999_999) / 7,
    () => randomText(random),
  ])()

export const randomJson = (random: Random, depth: number): unknown => {
  const size = random.between(0, 3)
  if (depth > 0 && random.chance(0.3)) {
    return Object.fromEntries(Array.from({ length: size }, () => [random.pick(KEYS), randomJson(random, depth - 1)]))
  }
  if (depth > 0 && random.chance(0.3)) return Array.from({ length: size }, () => randomJson(random, depth - 1))
  return randomScalar(random)
}

/** Yjs itself refuses to store a plain object that has a key `constructor`. */
const storable = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, 'constructor')

const randomValue = (random: Random, depth: number): unknown => {
  if (depth > 0) {
    if (random.chance(0.2)) return randomMap(random, new Y.Map(), depth - 1)
    if (random.chance(0.2)) return randomList(random, new Y.Array(), depth - 1)
    if (random.chance(0.15)) return new Y.Text(randomText(random))
  }
  if (random.chance(0.1)) return Uint8Array.from({ length: random.between(0, 4) }, () => random.between(0, 255))
  const value = randomJson(random, 2)
  return storable(value) ? value : null
}

const randomMap = (random: Random, map: Y.Map<unknown>, depth: number): Y.Map<unknown> => {
  for (let count = random.between(0, 3); count > 0; count--) map.set(random.pick(KEYS), randomValue(random, depth))
  return map
}

const randomList = (random: Random, list: Y.Array<unknown>, depth: number): Y.Array<unknown> => {
  list.push(Array.from({ length: random.between(0, 4) }, () => randomValue(random, depth)))
  return list
}

/** One random change of a document with the roots of `declare`. */
export const changeAtRandom = (random: Random, doc: Y.Doc): void => {
  const roots = declare(doc)
  const at = (length: number): number => random.between(0, length)
  random.pick([
    () => roots.scalars.set(random.pick([...KEYS, 'map']), randomValue(random, 2)),
    () => roots.map.set(random.pick(KEYS), randomValue(random, 2)),
    () => roots.map.delete(random.pick(KEYS)),
    () => roots.list.insert(at(roots.list.length), [randomValue(random, 2), randomValue(random, 1)]),
    () => roots.list.length > 0 && roots.list.delete(random.between(0, roots.list.length - 1), 1),
    () => insertBetweenCharacters(random, roots.text),
    () => roots.text.length > 1 && roots.text.format(0, roots.text.length, { bold: random.chance(0.5) || null }),
    () => random.chance(0.3) && roots.text.insertEmbed(roots.text.length, { image: random.between(0, 8) }),
    () => {
      const element = new Y.XmlElement(random.pick(['p', 'h1']))
      element.setAttribute('id', `${random.between(0, 8)}`)
      element.insert(0, [new Y.XmlText(randomText(random))])
      roots.xml.insert(at(roots.xml.length), [element])
    },
  ])()
}

/** Editors don't put a cursor into a surrogate pair either. */
const insertBetweenCharacters = (random: Random, text: Y.Text): void => {
  const before = text.toString()
  const hasEmbeds = before.length !== text.length
  const stops = [0, text.length]
  if (!hasEmbeds) {
    let stop = 0
    for (const character of before) {
      stop += character.length
      stops.push(stop)
    }
  }
  text.insert(random.pick(stops), randomText(random))
}

/** The roots that random documents have, declared as a client does. */
export const declare = (doc: Y.Doc) => ({
  scalars: doc.getMap(''),
  map: doc.getMap('map'),
  list: doc.getArray('list'),
  text: doc.getText('text'),
  xml: doc.getXmlFragment('xml'),
})

/** A document of two clients that changed it at once, with a few deletions. */
export const randomDocument = (random: Random): Y.Doc => {
  const [a, b] = [new Y.Doc(), new Y.Doc()]
  a.clientID = random.between(1, 1000)
  b.clientID = random.between(2000, 2999)
  for (let count = random.between(0, 15); count > 0; count--) changeAtRandom(random, random.pick([a, b]))
  Y.applyUpdate(a, Y.encodeStateAsUpdate(b))
  declare(a)
  return a
}

/** The document as a server has it that knows nothing but its bytes: every root is untyped. */
export const fromBytes = (doc: Y.Doc): Y.Doc => {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return copy
}

/** What `build` makes, as such a server has it. */
export const documentOf = (build: (doc: Y.Doc) => void): Y.Doc => {
  const doc = new Y.Doc()
  build(doc)
  return fromBytes(doc)
}
