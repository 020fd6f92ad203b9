/**
 * The top of a document as JSON shows it: its roots, and the root scalars, which stand in the root map with the empty
 * name. A root without content is not in the JSON, but for the patch that emptied it or made it: there it still counts as
 * the empty object, array or string that it would be. Since to a document every root is there, `add` into one that holds
 * nothing, and `test` whether it is empty, take it for the one that it was, or that fits.
 */
import type * as Y from 'yjs'
import { assign, assignRoot, checkFormer, entrySlot } from './assign.ts'
import { copyIntoRoot } from './copyValue.ts'
import { documentToJson, type Json, setOwn } from './documentJson.ts'
import { type IsText, newValue, storable } from './newValue.ts'
import { checkKey, isArray, isObject, type JsonObject, type Path, refusePatch } from './patchValue.ts'
import { type Copy, type Found, foundOf, type Places } from './places.ts'
import { sameJson } from './sameJson.ts'
import {
  clear,
  deleteEntry,
  entry,
  type FormerKind,
  fitsFormer,
  formerKind,
  type Kind,
  replaceCharacters,
  replaceElements,
  rootKind,
  type SharedType,
  setEntry,
} from './sharedType.ts'

const EMPTY: Readonly<Record<Kind, Json>> = { map: {}, list: [], text: '', xml: '' }

const nameOf = (path: Path): string => path[0]!

/** The places whose paths have one token. */
export class RootPlaces implements Places {
  readonly #doc: Y.Doc
  readonly #isText: IsText
  /** Roots that are there, also while they are empty. */
  readonly #known = new Map<string, Kind>()
  /** What roots were that this patch removed: their deleted items tell less. */
  readonly #removed = new Map<string, Kind>()

  constructor(doc: Y.Doc, isText: IsText) {
    this.#doc = doc
    this.#isText = isText
  }

  get(path: Path): Found | undefined {
    const root = this.#root(nameOf(path))
    if (root) return root
    const value = this.#scalar(nameOf(path))
    return value === undefined ? undefined : foundOf(value)
  }

  has(path: Path): boolean {
    return this.get(path) !== undefined
  }

  /** Makes a name, which may be new, read as this. */
  add(path: Path, json: Json): void {
    const name = nameOf(path)
    checkKey(name, () => path)
    if (this.#root(name) && this.#isEmpty(name)) this.remove(path)
    const root = this.#root(name)
    if (root) assignRoot(root.type, root.kind, json, path, this.#isText)
    else if (this.#scalar(name) !== undefined) assign(entrySlot(this.#scalars(path), name), json, path, this.#isText)
    else this.#addNew(path, json)
  }

  addCopy(path: Path, copy: Copy): void {
    if (this.#root(nameOf(path)) || this.#former(nameOf(path)) !== undefined) this.add(path, copy.json())
    else this.write(path, copy.shared())
  }

  /** Fills a root that is not there yet with a copy of a shared type. `false`, and nothing done, if it is there. */
  addCopyOf(path: Path, type: SharedType, kind: Kind): boolean {
    const name = nameOf(path)
    if (name === '' || this.get(path) !== undefined) return false
    checkKey(name, () => path)
    checkFormer(this.#former(name), EMPTY[kind], path)
    this.#known.set(name, kind)
    copyIntoRoot(this.#doc.get(name), type, kind)
    return true
  }

  replace(path: Path, json: Json): void {
    this.add(path, json)
  }

  write(path: Path, value: unknown): void {
    checkKey(nameOf(path), () => path)
    setEntry(this.#scalars(path), nameOf(path), storable(value))
  }

  remove(path: Path): void {
    const name = nameOf(path)
    const root = this.#root(name)
    if (root) clear(root.type, root.kind)
    // What was there for this patch only is forgotten.
    if (root && formerKind(root.type) !== undefined) this.#removed.set(name, root.kind)
    this.#known.delete(name)
    // Also one that the root hid: it must not come up now.
    if (this.#scalar(name) !== undefined) deleteEntry(this.#scalars(path), name)
  }

  /** A root that holds nothing, as what `token` names a place in; `undefined` if it can't be that. */
  emptyFor(path: Path, token: string): Found | undefined {
    const name = nameOf(path)
    if (name === '') return undefined
    checkKey(name, () => path)
    const former = this.#former(name) ?? (token === '-' || token === '0' ? 'list' : 'map')
    if (former === 'text' || former === 'xml') return undefined
    const kind = former === 'map' ? 'map' : 'list'
    this.#known.set(name, kind)
    return { type: this.#doc.get(name), kind }
  }

  /** Whether what holds nothing reads as this: as empty, and as what it was. */
  isEmptyAs(path: Path, json: Json): boolean {
    const kind = (['map', 'list', 'text'] as const).find((each) => sameJson(EMPTY[each], json))
    if (kind === undefined || nameOf(path) === '') return false
    const former = this.#former(nameOf(path))
    return former === undefined || fitsFormer(former, kind)
  }

  /** @throws TuttiError `INVALID_PATCH` if a root that holds nothing can't hold entries */
  checkMap(path: Path): void {
    checkFormer(this.#former(nameOf(path)), {}, path)
  }

  /** All of it. */
  toJson(): JsonObject {
    const json = documentToJson(this.#doc)
    for (const [name, kind] of this.#known) if (this.#isEmpty(name)) setOwn(json, name, EMPTY[kind])
    return json
  }

  replaceAll(json: JsonObject): void {
    for (const name of Object.keys(this.toJson())) if (!Object.hasOwn(json, name)) this.remove([name])
    for (const [name, value] of Object.entries(json)) this.add([name], value)
  }

  /** The patch is over: a root scalar that an emptied root hid must not come up. */
  finish(): void {
    for (const name of this.#known.keys()) {
      if (this.#isEmpty(name) && this.#scalar(name) !== undefined) deleteEntry(this.#scalars([name]), name)
    }
  }

  #isEmpty(name: string): boolean {
    return rootKind(this.#doc.share.get(name)) === undefined
  }

  /** Whether the root with the empty name holds the root scalars, or would. */
  get #scalarsAreMap(): boolean {
    const root = this.#doc.share.get('')
    const kind = rootKind(root)
    return kind === 'map' || (kind === undefined && formerKind(root) !== 'sequence')
  }

  /** What a root that holds nothing was. */
  #former(name: string): FormerKind | undefined {
    return name === '' ? undefined : (this.#removed.get(name) ?? formerKind(this.#doc.share.get(name)))
  }

  #root(name: string): { readonly type: SharedType; readonly kind: Kind } | undefined {
    if (name === '' && this.#scalarsAreMap) return undefined
    // Asked of the document once: what one patch does to a root does not make it another kind.
    const kind = this.#known.get(name) ?? rootKind(this.#doc.share.get(name))
    if (kind === undefined) return undefined
    this.#known.set(name, kind)
    return { type: this.#doc.get(name), kind }
  }

  #scalar(name: string): unknown {
    const scalars = this.#doc.share.get('')
    return scalars !== undefined && this.#scalarsAreMap ? entry(scalars, name) : undefined
  }

  #scalars(path: Path): SharedType {
    if (!this.#scalarsAreMap) {
      const problem = 'would be a root scalar, but the root with the empty name, where those live, is not a map.'
      refusePatch(path, problem, 'Put it into an object.')
    }
    return this.#doc.get('')
  }

  #addNew(path: Path, json: Json): void {
    const name = nameOf(path)
    const options = { isText: this.#isText, dropsNulls: false }
    const former = this.#former(name)
    checkFormer(former, json, path)
    if (name !== '' && isObject(json)) {
      this.#known.set(name, 'map')
      for (const [key, part] of Object.entries(json)) {
        setEntry(this.#doc.get(name), key, newValue(part, [name, key], options))
      }
    } else if (name !== '' && isArray(json)) {
      this.#known.set(name, 'list')
      const built = json.map((part, i) => newValue(part, [name, `${i}`], options))
      replaceElements(this.#doc.get(name), 0, 0, built)
    } else if (name !== '' && typeof json === 'string' && (former !== undefined || this.#isText(path))) {
      this.#known.set(name, 'text')
      if (json !== '') replaceCharacters(this.#doc.get(name), 0, 0, json)
    } else setEntry(this.#scalars(path), name, newValue(json, path, options))
  }
}
