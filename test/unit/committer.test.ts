import { expect, test } from 'vitest'
import { TuttiError } from '../../lib/errors.ts'
import type { Storage } from '../../server/contracts.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'
import { startServer } from './testServer.ts'

/** A storage that refuses every commit with something of `room` in it, and notes the rooms of each attempt. */
const refusing = (room: string, error: TuttiError): { storage: Storage; attempts: string[][] } => {
  const memory = createMemoryStorage()
  const attempts: string[][] = []
  const commit: Storage['commit'] = async (changes) => {
    attempts.push(changes.map((change) => change.room).sort())
    if (changes.some((change) => change.room === room)) throw error
    await memory.commit(changes)
  }
  return { storage: { ...memory, commit }, attempts }
}

const editAll = async (storage: Storage): Promise<string[]> => {
  const { server } = await startServer({ storage })
  const edits = ['bad', 'fine', 'good'].map((name) =>
    server.room(name).edit((doc) => {
      doc.getMap('m').set('k', 1)
    }),
  )
  return (await Promise.allSettled(edits)).map(({ status }) => status)
}

test('a change that storage refuses for good fails alone: the other rooms of its commit are stored', async () => {
  const fault = new TuttiError('STORAGE_FAILED', 'not this one', { retryable: false })
  const { storage, attempts } = refusing('bad', fault)
  expect(await editAll(storage)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  expect(attempts.slice(0, 4)).toEqual([['bad', 'fine', 'good'], ['bad'], ['fine'], ['good']])
})

test('a commit that the disk refuses fails for all its rooms, and is not tried again for each', async () => {
  const { storage, attempts } = refusing('bad', new TuttiError('STORAGE_FAILED', 'the disk is full'))
  expect(await editAll(storage)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(attempts[0]).toEqual(['bad', 'fine', 'good'])
  expect(attempts.filter((rooms) => rooms.length === 1 && rooms[0] === 'good')).toEqual([])
})
