/**
 * JSON Patch (RFC 6902) on a document, inside the caller's transaction: what it throws, the caller's document must not
 * be kept after. An operation becomes the one change it names: of a list an insertion or a deletion, of a map one key,
 * of a text the stretch that differs.
 */
import type * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import type { Json } from './documentJson.ts'
import { DocumentTree } from './documentTree.ts'
import { parsePointer } from './jsonPointer.ts'
import { textsAt } from './newValue.ts'
import { checkValue, isArray, isObject, kindOf, type Path } from './patchValue.ts'
import { countWrites, withinLimit } from './patchWork.ts'

/** Operations of one patch: they are carried out without a pause. */
export const MAX_OPERATIONS = 10_000

type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: Path; readonly value: Json }
  | { readonly op: 'remove'; readonly path: Path }
  | { readonly op: 'move' | 'copy'; readonly path: Path; readonly from: Path }

const NAMES = ['add', 'remove', 'replace', 'move', 'copy', 'test'] as const

const EXAMPLE = '{"op": "add", "path": "/todos/-", "value": {"text": "Milk"}}'

const malformed = (place: string, problem: string): TuttiError =>
  new TuttiError('INVALID_PATCH', `${place} ${problem}`, { hint: `An operation is e.g. ${EXAMPLE} (RFC 6902).` })

const parseOperation = (operation: Json, place: string): Operation => {
  if (!isObject(operation)) throw malformed(place, `is ${kindOf(operation)}; expected an object.`)
  const field = (name: string): Json | undefined => (Object.hasOwn(operation, name) ? operation[name] : undefined)
  const pointer = (name: string): Path => {
    const text = field(name)
    if (typeof text !== 'string') throw malformed(place, `has a "${name}" that is ${kindOf(text)}; expected a string.`)
    const tokens = parsePointer(text)
    if (tokens !== undefined) return tokens
    const expected = 'expected "" or one that begins with "/", with "~" only in "~0" and "~1"'
    throw malformed(
      place,
      `has a "${name}" that is no JSON Pointer: ${JSON.stringify(text.slice(0, 80))}; ${expected}.`,
    )
  }
  const given = field('op')
  const op = NAMES.find((name) => name === given)
  if (op === undefined) {
    const shown = typeof given === 'string' ? JSON.stringify(given.slice(0, 40)) : kindOf(given)
    throw malformed(place, `has an "op" that is ${shown}; expected one of ${NAMES.join(', ')}.`)
  }
  const path = pointer('path')
  switch (op) {
    case 'remove':
      return { op, path }
    case 'move':
    case 'copy': {
      const from = pointer('from')
      const isInside = from.length < path.length && from.every((token, i) => token === path[i])
      if (op === 'move' && isInside) throw malformed(place, 'moves a place into itself.')
      return { op, path, from }
    }
    default: {
      const value = field('value')
      if (value === undefined) throw malformed(place, 'has no "value".')
      checkValue(value, path, countWrites)
      return { op, path, value }
    }
  }
}

/** @throws TuttiError `INVALID_PATCH`, `TOO_LARGE` */
const parsePatch = (patch: Json): Operation[] => {
  if (!isArray(patch)) throw malformed('The patch', `is ${kindOf(patch)}; expected an array of operations.`)
  if (patch.length > MAX_OPERATIONS) {
    throw new TuttiError('TOO_LARGE', `The patch has ${patch.length} operations; the limit is ${MAX_OPERATIONS}.`, {
      hint: 'Send several patches, or a merge patch.',
    })
  }
  countWrites(patch.length)
  return patch.map((operation, i) => parseOperation(operation, `Operation ${i}`))
}

export interface JsonPatchOptions {
  /** Paths (keys and indices from the top) of strings that become a Y.Text where no string stands yet. */
  readonly texts?: readonly Path[]
}

/**
 * Applies a JSON patch. The document reads after it as RFC 6902 has it, with what a document is: a root without content
 * is not there, once the patch is over; an operation on `/<root>/-` makes the list; a root keeps its type.
 *
 * @throws TuttiError `INVALID_PATCH` for what is no patch or names a place that cannot take its value; `CONFLICT` for a
 * `test` that fails and a place that is not there; `TOO_LARGE`
 */
export const applyJsonPatch = (doc: Y.Doc, patch: Json, options: JsonPatchOptions = {}): void =>
  withinLimit(() => apply(doc, patch, options))

const apply = (doc: Y.Doc, patch: Json, options: JsonPatchOptions): void => {
  const operations = parsePatch(patch)
  const tree = new DocumentTree(doc, textsAt(options.texts ?? []))
  for (const [i, operation] of operations.entries()) {
    try {
      carryOut(tree, operation)
    } catch (error) {
      if (!(error instanceof TuttiError)) throw error
      const { code, message, hint, path } = error
      throw new TuttiError(code, `Operation ${i} (${operation.op}): ${message}`, { hint, path, cause: error })
    }
  }
  tree.finish()
}

const carryOut = (tree: DocumentTree, operation: Operation): void => {
  switch (operation.op) {
    case 'add':
      tree.add(operation.path, operation.value)
      return
    case 'remove':
      tree.remove(operation.path)
      return
    case 'replace':
      tree.replace(operation.path, operation.value)
      return
    case 'move':
      tree.move(operation.from, operation.path)
      return
    case 'copy':
      tree.copy(operation.from, operation.path)
      return
    case 'test':
      tree.test(operation.path, operation.value)
      return
    default:
      operation satisfies never
  }
}
