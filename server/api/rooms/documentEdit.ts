/** What all requests that change a document have in common: their conditions, their origin, their answer. */
import { TuttiError } from '../../../lib/errors.ts'
import type { ApiRequest, ApiResponse, Edited, EditOptions } from '../../contracts.ts'
import { percentDecoded } from '../../protocol/percentDecoded.ts'
import { checkOrigin } from '../../room/originName.ts'
import { entityTag, expectationOf } from '../entityTag.ts'
import { jsonResponse } from '../jsonResponse.ts'
import { decodeQueryPart, queryPairs } from '../query.ts'
import type { RoomTarget } from './resource.ts'

/** Percent-encoded UTF-8, as a header has no other way to carry a name in any language. */
const ORIGIN_HEADER = 'x-tutti-origin'

const originOf = (request: ApiRequest): string | undefined => {
  const encoded = request.header(ORIGIN_HEADER)
  if (encoded === '') return undefined
  const name = percentDecoded(encoded)
  if (name === undefined) {
    throw new TuttiError('INVALID_REQUEST', 'X-Tutti-Origin is not percent-encoded UTF-8.', {
      hint: 'Encode it as a part of an address is: "%" as "%25".',
    })
  }
  checkOrigin(name, 'INVALID_REQUEST')
  return name
}

/** @throws TuttiError `INVALID_REQUEST` */
export const editOptionsOf = (request: ApiRequest, { caller }: RoomTarget): EditOptions => ({
  caller,
  origin: originOf(request),
  expect: expectationOf(request),
})

export const editedResponse = ({ changed, revision }: Edited, more: object = {}): ApiResponse =>
  jsonResponse({ changed, ...more }, { etag: entityTag(revision) })

/**
 * The paths of `?text=a.b`, repeatable. The dots are taken before the percent-decoding: `%2E` is a dot within a key.
 * @throws TuttiError `INVALID_REQUEST`
 */
export const textPaths = (query: string): string[][] =>
  queryPairs(query).map(({ name, value }) => {
    if (name !== 'text') {
      throw new TuttiError('INVALID_REQUEST', `There is no query parameter "${name}"; expected "text".`, {
        hint: 'Write ?text=<path> for a string that becomes a Y.Text, e.g. ?text=body&text=notes.n1.title.',
      })
    }
    return value.split('.').map(decodeQueryPart)
  })
