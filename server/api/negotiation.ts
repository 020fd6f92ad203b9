/** Content negotiation: the headers `Accept`, `Accept-Encoding` and `Content-Type`. */

interface Weighted {
  /** Lower case, without parameters. */
  readonly value: string
  readonly quality: number
}

const weightedList = (header: string): Weighted[] =>
  header
    .split(',')
    .map((part) => part.split(';').map((piece) => piece.trim().toLowerCase()))
    .filter(([value]) => value !== '')
    .map(([value, ...parameters]) => {
      const quality = parameters.find((parameter) => parameter.startsWith('q='))
      const weight = quality === undefined ? 1 : Number(quality.slice(2))
      // What is not a weight can't be meant as a refusal.
      return { value: value!, quality: weight >= 0 && weight <= 1 ? weight : 1 }
    })

/** How well a media range names a type: 3 itself, 2 `type/*`, 1 `*` `/*`, 0 not at all. */
const specificity = (range: string, type: string): number => {
  if (range === type) return 3
  if (range === `${type.slice(0, type.indexOf('/'))}/*`) return 2
  return range === '*/*' ? 1 : 0
}

/**
 * The media type to answer with. Of equal weights the one named more exactly wins, then the earlier offer; the first
 * offer if none is accepted, which HTTP allows and which is of more use to a browser or a person than a refusal.
 */
export const negotiateType = <T extends string>(accept: string, offers: readonly [T, ...T[]]): T => {
  const ranges = weightedList(accept)
  let best: { offer: T; quality: number; exactness: number } | undefined
  for (const offer of offers) {
    let exactness = 0
    let quality = 0
    for (const range of ranges) {
      const fit = specificity(range.value, offer)
      if (fit > exactness) {
        exactness = fit
        quality = range.quality
      }
    }
    if (quality === 0) continue
    const wins =
      best === undefined || quality > best.quality || (quality === best.quality && exactness > best.exactness)
    if (wins) best = { offer, quality, exactness }
  }
  return best?.offer ?? offers[0]
}

/** Whether a client takes gzip. */
export const acceptsGzip = (acceptEncoding: string): boolean => {
  const codings = weightedList(acceptEncoding)
  const gzip =
    codings.find(({ value }) => value === 'gzip' || value === 'x-gzip') ?? codings.find(({ value }) => value === '*')
  return gzip !== undefined && gzip.quality > 0
}

export interface MediaType {
  /** Lower case, e.g. `application/json`. */
  readonly type: string
  /** Lower case; `undefined` if not given. */
  readonly charset: string | undefined
}

export const parseMediaType = (contentType: string): MediaType => {
  const [type = '', ...parameters] = contentType.split(';').map((piece) => piece.trim().toLowerCase())
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))
  return { type, charset: charset?.slice('charset='.length).replaceAll('"', '') }
}
