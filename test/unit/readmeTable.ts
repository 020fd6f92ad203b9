import { readFileSync } from 'node:fs'

export const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The rows of the README's table whose first heading this is, each a list of cells. */
export const readTable = (heading: string): string[][] => {
  const lines = README.split('\n')
  const [start, ...others] = lines.flatMap((line, i) => (line.startsWith(`| ${heading} |`) ? [i] : []))
  if (start === undefined || others.length > 0) throw new Error(`README.md has no one table of "${heading}".`)
  const rest = lines.slice(start + 2)
  const end = rest.findIndex((line) => !line.startsWith('|'))
  return rest.slice(0, end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** The words of a cell that stand in backticks. */
export const codesOf = (cell = ''): string[] => [...cell.matchAll(/`([^`]*)`/g)].map(([, code]) => code as string)

/** The whole numbers of a cell. */
export const numbersOf = (cell = ''): number[] => [...cell.matchAll(/\d+/g)].map(([number]) => Number(number))
