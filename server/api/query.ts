import { TuttiError } from '../../lib/errors.ts'
import { percentDecoded } from '../protocol/percentDecoded.ts'

/** @throws TuttiError `INVALID_REQUEST` for what is not percent-encoded UTF-8 */
export const decodeQueryPart = (encoded: string): string => {
  const decoded = percentDecoded(encoded.replaceAll('+', ' '))
  if (decoded !== undefined) return decoded
  throw new TuttiError('INVALID_REQUEST', 'The query is not valid percent-encoded UTF-8.', {
    hint: 'Percent-encode the names and values of the query.',
  })
}

/** The parameters of a raw query in order: names decoded, values still encoded. */
export const queryPairs = (query: string): { readonly name: string; readonly value: string }[] =>
  query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=')
      return {
        name: decodeQueryPart(equals < 0 ? part : part.slice(0, equals)),
        value: equals < 0 ? '' : part.slice(equals + 1),
      }
    })

/**
 * The decoded parameters of a query, each of which may stand there once.
 * @throws TuttiError `INVALID_REQUEST` for one that is not among `names`, or stands there twice
 */
export const queryOf = <N extends string>(query: string, names: readonly N[]): { readonly [K in N]?: string } => {
  const found: { [K in N]?: string } = {}
  for (const { name, value } of queryPairs(query)) {
    const known = names.find((candidate) => candidate === name)
    if (known === undefined) {
      const expected = names.length === 0 ? 'none' : names.map((candidate) => `"${candidate}"`).join(', ')
      throw new TuttiError(
        'INVALID_REQUEST',
        `There is no query parameter ${JSON.stringify(name)}; expected ${expected}.`,
        {
          hint: 'Leave it out, or see /openapi.json.',
        },
      )
    }
    if (found[known] !== undefined) {
      throw new TuttiError('INVALID_REQUEST', `The query parameter "${known}" is given twice.`, {
        hint: 'Give it once.',
      })
    }
    found[known] = decodeQueryPart(value)
  }
  return found
}

/**
 * A whole number of a query; `undefined` if it is not given.
 * @throws TuttiError `INVALID_REQUEST`
 */
export const wholeNumberOf = (
  name: string,
  text: string | undefined,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number | undefined => {
  if (text === undefined) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(number) && number >= min && number <= max) return number
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`
  throw new TuttiError(
    'INVALID_REQUEST',
    `?${name}= is ${JSON.stringify(text.slice(0, 40))}; expected a whole number ${range}.`,
    {
      hint: `Write e.g. ?${name}=${min}.`,
    },
  )
}
