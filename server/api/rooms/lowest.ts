/**
 * The lowest items of some lists in order, each once, `limit` at most. What is above them costs one comparison each: a page of a
 * hundred rooms is not worth sorting a hundred thousand.
 */
export const lowest = <T>(lists: readonly Iterable<T>[], limit: number, compare: (a: T, b: T) => number): T[] => {
  const found: T[] = []
  const offer = (item: T): void => {
    if (found.length >= limit && compare(item, found.at(-1)!) >= 0) return
    let low = 0
    let high = found.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compare(found[middle]!, item) < 0) low = middle + 1
      else high = middle
    }
    if (low < found.length && compare(found[low]!, item) === 0) return
    found.splice(low, 0, item)
    if (found.length > limit) found.pop()
  }
  for (const items of lists) for (const item of items) offer(item)
  return found
}
