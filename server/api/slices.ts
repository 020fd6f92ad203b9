/** Long work in short pieces, so that everything else the server does goes on in between. */

/** The longest piece, in milliseconds, and in items. */
const SLICE_MS = 5
const SLICE_ITEMS = 500

export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Tells, asked after each item, when a piece has been long enough. */
export const startSlice = (): (() => boolean) => {
  const end = performance.now() + SLICE_MS
  let left = SLICE_ITEMS
  return () => --left <= 0 || performance.now() >= end
}

export type Slices<T> = AsyncGenerator<readonly T[], void>

/** Works on each item; gives what came of a piece, each in a turn of the event loop of its own. */
export async function* sliced<I, T>(items: Iterable<I>, work: (item: I) => T): Slices<T> {
  let slice: T[] = []
  let isOver = startSlice()
  for (const item of items) {
    slice.push(work(item))
    if (!isOver()) continue
    yield slice
    await nextTurn()
    slice = []
    isOver = startSlice()
  }
  yield slice
}
