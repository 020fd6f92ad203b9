/** Entity tags of a document and the headers that ask about them (RFC 9110, 8.8.3 and 13). */
import { TuttiError } from '../../lib/errors.ts'
import type { ApiRequest } from '../contracts.ts'
import { EMPTY_REVISION } from '../room/revision.ts'

/** JSON and the update are two representations of one document; a tag names one of them. */
export type Representation = 'json' | 'update'

const UPDATE_SUFFIX = '.update'

export const entityTag = (revision: string, representation: Representation = 'json'): string =>
  `"${revision}${representation === 'update' ? UPDATE_SUFFIX : ''}"`

interface Tag {
  readonly isWeak: boolean
  /** With its quotes. */
  readonly text: string
}

type Condition = '*' | readonly Tag[]

const malformed = (name: string, value: string): TuttiError =>
  new TuttiError('INVALID_REQUEST', `${name} is ${JSON.stringify(value.slice(0, 80))}; expected entity tags or "*".`, {
    hint: 'Send the ETag of an answer as it came, with its quotes.',
  })

/** @throws TuttiError `INVALID_REQUEST` */
const conditionOf = (
  request: Pick<ApiRequest, 'header'>,
  name: 'If-Match' | 'If-None-Match',
): Condition | undefined => {
  const value = request.header(name.toLowerCase()).trim()
  if (value === '') return undefined
  if (value === '*') return '*'
  const tags: Tag[] = []
  const tag = /\s*(W\/)?("[^"]*")\s*(,|$)/y
  while (tag.lastIndex < value.length) {
    const [, weak, text] = tag.exec(value) ?? []
    if (text === undefined) throw malformed(name, value)
    tags.push({ isWeak: weak !== undefined, text })
  }
  return tags
}

/** `*` stands for any content, of which a room that nothing was written to has none. */
const hasContent = (revision: string): boolean => revision !== EMPTY_REVISION

/** Whether the tag of either representation is named. */
const names = (tags: readonly Tag[], revision: string, takesWeak: boolean): boolean => {
  const own = [entityTag(revision), entityTag(revision, 'update')]
  return tags.some(({ isWeak, text }) => (takesWeak || !isWeak) && own.includes(text))
}

const failed = (message: string): TuttiError =>
  new TuttiError('PRECONDITION_FAILED', message, {
    hint: 'Read the document again, decide anew, and send the ETag that came with it.',
  })

/** What refuses a change of a document; calling it with the revision throws `PRECONDITION_FAILED`. */
export type Expectation = (revision: string) => void

/**
 * What `If-Match` and `If-None-Match` ask of a document that is to be changed; `undefined` if nothing.
 * @throws TuttiError `INVALID_REQUEST` for what is no list of tags
 */
export const expectationOf = (request: Pick<ApiRequest, 'header'>): Expectation | undefined => {
  const ifMatch = conditionOf(request, 'If-Match')
  const ifNoneMatch = conditionOf(request, 'If-None-Match')
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined
  return (revision) => {
    if (ifMatch === '*' && !hasContent(revision)) throw failed('If-Match is "*", and the document has no content.')
    if (ifMatch !== undefined && ifMatch !== '*' && !names(ifMatch, revision, false)) {
      throw failed('If-Match names another revision than the document has now.')
    }
    if (ifNoneMatch === '*' && hasContent(revision)) throw failed('If-None-Match is "*", and the document has content.')
    if (ifNoneMatch !== undefined && ifNoneMatch !== '*' && names(ifNoneMatch, revision, true)) {
      throw failed('If-None-Match names the revision that the document has now.')
    }
  }
}

/**
 * Whether who asks has this representation already: its tag is in `If-None-Match`.
 * @throws TuttiError `INVALID_REQUEST`; `PRECONDITION_FAILED` for `If-Match`
 */
export const isUnchanged = (
  request: Pick<ApiRequest, 'header'>,
  revision: string,
  representation: Representation,
): boolean => {
  const header = (name: string): string => (name === 'if-none-match' ? '' : request.header(name))
  expectationOf({ header })?.(revision)
  const ifNoneMatch = conditionOf(request, 'If-None-Match')
  if (ifNoneMatch === '*') return hasContent(revision)
  return ifNoneMatch?.some(({ text }) => text === entityTag(revision, representation)) ?? false
}
