/** A document as the tree of JSON values that JSON Pointers name places in. */
import type * as Y from 'yjs'
import type { Json } from './documentJson.ts'
import { formatPointer } from './jsonPointer.ts'
import type { IsText } from './newValue.ts'
import { isObject, kindOf, type Path, refusePatch } from './patchValue.ts'
import { conflict, copyOf, type Found, nothingAt, type Places, placesIn } from './places.ts'
import { RootPlaces } from './rootPlaces.ts'
import { sameJson, sameType } from './sameJson.ts'

const isSame = (a: Path, b: Path): boolean => a.length === b.length && a.every((token, i) => token === b[i])

/** The operations of JSON Patch; each throws `CONFLICT` where what it takes for granted is not there. */
export class DocumentTree {
  readonly #isText: IsText
  readonly #roots: RootPlaces

  constructor(doc: Y.Doc, isText: IsText) {
    this.#isText = isText
    this.#roots = new RootPlaces(doc, isText)
  }

  add(path: Path, json: Json): void {
    if (path.length === 0) this.#replaceAll(json)
    else this.#parentOf(path, true).add(path, json)
  }

  replace(path: Path, json: Json): void {
    if (path.length === 0) {
      this.#replaceAll(json)
      return
    }
    this.#holding(path).replace(path, json)
  }

  remove(path: Path): void {
    if (path.length === 0) {
      refusePatch(path, 'removes the whole document, which can only be emptied.', 'Replace it by {}.')
    }
    this.#holding(path).remove(path)
  }

  copy(from: Path, path: Path): void {
    const found = this.#find(from)
    if (this.#fillsRoot(found, path)) return
    const copy = copyOf(found, path)
    if (path.length === 0) this.#replaceAll(copy.json())
    else this.#parentOf(path, true).addCopy(path, copy)
  }

  move(from: Path, path: Path): void {
    const found = this.#find(from)
    if (isSame(from, path)) return
    // Before it is gone: a root is filled from what is there. Whether its name is free does not depend on the other.
    if (this.#fillsRoot(found, path)) {
      this.#parentOf(from).remove(from)
      return
    }
    const copy = copyOf(found, path)
    if (path.length < 2) {
      const json = copy.json()
      // If it was in what it takes the place of, it is gone with that.
      if (path.length === 1 && from[0] !== path[0]) this.#parentOf(from).remove(from)
      this.add(path, json)
      return
    }
    // The place is looked up when it is gone, and only then it is known which of the two that takes.
    const shared = copy.shared()
    const plain = copy.plain()
    this.#parentOf(from).remove(from)
    this.#parentOf(path, true).addCopy(path, { ...copy, shared: () => shared, plain: () => plain })
  }

  test(path: Path, json: Json): void {
    if (path.length === 1 && !this.#roots.has(path) && this.#roots.isEmptyAs(path, json)) return
    const found = this.#find(path)
    const isEqual = 'type' in found ? sameType(found.type, found.kind, json) : sameJson(found.value, json)
    if (isEqual) return
    const place = path.length === 0 ? 'the document' : formatPointer(path)
    throw conflict(`${place} is not what the test expects.`, 'Read the document, and decide anew.')
  }

  finish(): void {
    this.#roots.finish()
  }

  #replaceAll(json: Json): void {
    if (isObject(json)) this.#roots.replaceAll(json)
    else
      refusePatch([], `puts ${kindOf(json)} in the place of the document; expected an object.`, 'Put it under a key.')
  }

  #fillsRoot(found: Found, path: Path): boolean {
    return path.length === 1 && 'type' in found && this.#roots.addCopyOf(path, found.type, found.kind)
  }

  #find(path: Path): Found {
    if (path.length === 0) return { value: this.#roots.toJson() }
    const found = this.#parentOf(path).get(path)
    if (found === undefined) throw nothingAt(path)
    return found
  }

  /** The same, where there must be something at that place. */
  #holding(path: Path): Places {
    const places = this.#parentOf(path)
    if (!places.has(path)) throw nothingAt(path)
    return places
  }

  /** What the place that a path names is in. `adds`: to what may be a root that holds nothing, and so is not there. */
  #parentOf(path: Path, adds = false): Places {
    let places: Places = this.#roots
    for (let depth = 1; depth < path.length; depth++) {
      const here = path.slice(0, depth)
      const found = places.get(here) ?? (adds && path.length === 2 ? this.#roots.emptyFor(here, path[1]!) : undefined)
      if (found === undefined) throw nothingAt(here)
      const inside = placesIn(found, here, places, this.#isText)
      if (inside === undefined) throw conflict(`${formatPointer(here)} has no parts: it is ${this.#nounOf(found)}.`)
      places = inside
    }
    return places
  }

  #nounOf(found: Found): string {
    if ('type' in found) return found.kind === 'xml' ? 'XML' : 'a string'
    return found.value instanceof Uint8Array ? 'bytes' : kindOf(found.value)
  }
}
