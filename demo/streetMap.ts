/** Where things are on the map, in percent of its width and height; the lamps in the order of their numbers. */
export interface Place {
  readonly x: number
  readonly y: number
}

const row = (y: number, ...xs: readonly number[]): Place[] => xs.map((x) => ({ x, y }))

export const LAMP_PLACES: readonly Place[] = [
  ...row(17, 7, 23, 40, 60, 77, 93),
  ...row(36, 40, 50, 60),
  ...row(50, 6, 19, 31, 69, 81, 94),
  ...row(64, 40, 50, 60),
  ...row(83, 7, 23, 40, 60, 77, 93),
]

/** Houses: left, top, width, height. What they leave free are two lanes, the street between them, and the square. */
export const HOUSES: readonly (readonly [number, number, number, number])[] = [
  // Above the upper lane.
  [0, 0, 6, 10],
  [7, 0, 8, 9],
  [19, 0, 10, 10],
  [30, 0, 7, 8],
  [38, 0, 11, 10],
  [51, 0, 9, 9],
  [61, 0, 8, 10],
  [70, 0, 11, 8],
  [85, 0, 6, 10],
  [92, 0, 8, 9],
  // Between the upper lane and the street.
  [0, 25, 7, 17],
  [8, 26, 7, 16],
  [19, 25, 9, 17],
  [29, 27, 6, 15],
  [65, 27, 6, 15],
  [72, 25, 9, 17],
  [85, 26, 7, 16],
  [93, 25, 7, 17],
  // Between the street and the lower lane.
  [0, 58, 9, 17],
  [10, 58, 5, 16],
  [19, 58, 6, 15],
  [26, 58, 9, 17],
  [65, 58, 9, 17],
  [75, 58, 6, 15],
  [85, 58, 5, 16],
  [91, 58, 9, 17],
  // Below the lower lane.
  [0, 91, 8, 9],
  [9, 90, 6, 10],
  [19, 92, 7, 8],
  [27, 90, 9, 10],
  [38, 91, 8, 9],
  [47, 90, 13, 10],
  [61, 91, 8, 9],
  [70, 90, 11, 10],
  [85, 91, 7, 9],
  [93, 90, 7, 10],
]

type Direction = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown'

/** The map is about this much wider than high: a step across is longer than one down. */
const WIDTH_TO_HEIGHT = 2.2
/** A lamp straight ahead is preferred to a nearer one beside. */
const SIDEWAYS = 2.5

export const isDirection = (key: string): key is Direction =>
  key === 'ArrowLeft' || key === 'ArrowRight' || key === 'ArrowUp' || key === 'ArrowDown'

/** Index of the next lamp from one in a direction; the same one at the edge. */
export const neighbourOf = (index: number, direction: Direction): number => {
  const from = LAMP_PLACES[index]
  if (from === undefined) return 0
  const isAcross = direction === 'ArrowLeft' || direction === 'ArrowRight'
  const sign = direction === 'ArrowLeft' || direction === 'ArrowUp' ? -1 : 1
  let best = index
  let least = Number.POSITIVE_INFINITY
  for (const [other, { x, y }] of LAMP_PLACES.entries()) {
    const across = (x - from.x) * WIDTH_TO_HEIGHT
    const down = y - from.y
    const ahead = sign * (isAcross ? across : down)
    const aside = Math.abs(isAcross ? down : across)
    const distance = ahead + SIDEWAYS * aside
    // What lies far more to the side than ahead is in another direction.
    if (ahead <= aside / 2 || distance >= least) continue
    best = other
    least = distance
  }
  return best
}
