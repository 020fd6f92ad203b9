/**
 * Stores one change after another in a data folder and says so on stdout, until it is killed or a commit fails:
 *   ready, then `committed <n>` for the n-th change once its commit resolved, or `failed <n> <code>`.
 * Each change adds segment n to three rooms at once; every tenth one replaces what is there by one segment.
 */

import { TuttiError } from '../../lib/errors.ts'
import { openLmdbStorage } from '../../server/storage/lmdb.ts'
import { change, segment } from './storage.ts'

const [folder, bytes = '40'] = process.argv.slice(3)
const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

try {
  const storage = await openLmdbStorage(folder!)
  const rooms = ['one', 'two', 'three']
  const known = new Map<string, number[]>()
  let start = 0
  for (const room of rooms) {
    const segments = (await storage.load(room))?.segments ?? []
    known.set(
      room,
      segments.map(({ id }) => id),
    )
    start = Math.max(start, ...segments.map(({ lastSeq }) => lastSeq))
  }
  print('ready')
  for (let n = start + 1; ; n++) {
    try {
      await storage.commit(
        rooms.map((room) => {
          const replace = n % 10 === 0
          const remove = replace ? known.get(room)! : []
          known.set(room, replace ? [n] : [...known.get(room)!, n])
          const text = `${n} `.padEnd(Number(bytes), 'x')
          return change(room, [segment(n, replace ? 1 : n, n, text)], { remove })
        }),
      )
      print(`committed ${n}`)
    } catch (error) {
      print(`failed ${n} ${error instanceof TuttiError ? error.code : error}`)
      const states = await Promise.all(rooms.map((room) => storage.load(room)))
      print(`holds ${states.map((state) => state?.segments.at(-1)?.lastSeq ?? 0).join(' ')}`)
      await storage.close()
      break
    }
  }
} catch (error) {
  print(error instanceof TuttiError ? `refused ${error.code}` : `broken ${error}`)
}
