/** Edit distance in which a swap of neighbours counts as one edit, as typing mistakes go. */
const distance = (a: string, b: string): number => {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let best = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + (same ? 0 : 1))
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, beforePrevious[column - 2]! + 1)
      }
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length]!
}

const letters = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')

/** The known names that `name` may have been meant as, nearest first; case and punctuation do not count. */
export const nearNames = (name: string, known: readonly string[]): string[] => {
  const wanted = letters(name)
  if (wanted === '' || wanted.length > 64) return []
  return known
    .map((candidate) => {
      const own = letters(candidate)
      const contained = wanted.length > 2 && (own.includes(wanted) || wanted.includes(own))
      return { candidate, score: contained ? 1 : distance(wanted, own), most: Math.max(1, Math.floor(own.length / 3)) }
    })
    .filter(({ score, most }) => score <= most)
    .sort((a, b) => a.score - b.score)
    .slice(0, 3)
    .map(({ candidate }) => candidate)
}
