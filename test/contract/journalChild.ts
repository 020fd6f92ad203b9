/**
 * Adds one entry after another to the journal in a folder, from the last id on, until it is killed; says `ready`, then
 * `stored <id>` once an entry's `append` resolved. Every third one is removed again: `removed <id>`.
 */
import { openLmdbJournal } from '../../server/storage/lmdbJournal.ts'

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const journal = await openLmdbJournal(process.argv[3]!)
const last = (await journal.read()).at(-1)?.id ?? 0
print('ready')
for (let id = last + 1; ; id++) {
  await journal.append([{ id, record: `record ${id}` }])
  print(`stored ${id}`)
  if (id % 3 !== 0) continue
  await journal.remove([id])
  print(`removed ${id}`)
}
