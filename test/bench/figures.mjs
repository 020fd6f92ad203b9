// @ts-check
/** How benches sum up what they measured. */

/** @param {readonly number[]} values */
export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  if (upper === undefined) throw new Error('No values.')
  return sorted.length % 2 === 1 ? upper : (upper + /** @type {number} */ (sorted[middle - 1])) / 2
}

/**
 * `median (least–most)`, each written by `format`.
 * @param {readonly number[]} values
 * @param {(value: number) => string} format
 */
export const spread = (values, format) =>
  `${format(median(values))} (${format(Math.min(...values))}–${format(Math.max(...values))})`

/** @param {number} count `1234567` as `1.23 M` */
export const short = (count) =>
  count >= 1e6 ? `${(count / 1e6).toFixed(2)} M` : count >= 1e3 ? `${(count / 1e3).toFixed(1)} k` : count.toFixed(1)

/** @param {number} ms */
export const milliseconds = (ms) => `${ms.toFixed(1)} ms`

/** @param {number} bytes */
export const kibibytes = (bytes) => `${(bytes / 1024).toFixed(2)} KiB`

/** @param {string} line */
export const print = (line) => {
  process.stdout.write(`${line}\n`)
}
