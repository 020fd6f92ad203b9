import { describe, expect, it } from 'vitest'
import { TuttiError } from '../../lib/errors.ts'
import { Answers, type AnswersParts } from '../../server/api/answers.ts'
import { createGate } from './gate.ts'

const createAnswers = (parts: Partial<AnswersParts<string>> = {}) => {
  let time = 0
  let made = 0
  const answers = new Answers<string>({
    lifetimeMs: 1000,
    maxCount: 100,
    maxBytes: 1e6,
    bytesOf: (answer) => answer.length,
    reused: () => new TuttiError('KEY_REUSED', 'Another request.'),
    now: () => time,
    ...parts,
  })
  return {
    answers,
    /** Asks under a key; each answer that is made has a number. */
    ask: (key: string, request = ''): Promise<string> => answers.once(key, request, () => `${key}${++made}`),
    pass: (ms: number): void => {
      time += ms
    },
  }
}

describe('answers that are remembered', () => {
  it('are the same for as long as they live', async () => {
    const { ask, pass } = createAnswers()
    expect(await ask('a')).toBe('a1')
    expect(await ask('b')).toBe('b2')
    pass(999)
    expect(await ask('a')).toBe('a1')
    pass(1)
    expect(await ask('a')).toBe('a3')
  })

  it('go by count, the oldest first', async () => {
    const { ask } = createAnswers({ maxCount: 2 })
    for (const key of ['a', 'b', 'c']) await ask(key)
    expect([await ask('b'), await ask('c'), await ask('a')]).toEqual(['b2', 'c3', 'a4'])
  })

  it('go by bytes, the oldest first', async () => {
    const { ask } = createAnswers({ maxBytes: 2000, bytesOf: () => 700 })
    for (const key of ['a', 'b', 'c']) await ask(key)
    expect([await ask('b'), await ask('c'), await ask('a')]).toEqual(['b2', 'c3', 'a4'])
  })

  it('are not those that are too large, nor those that were not to be kept', async () => {
    const large = createAnswers({ maxBytes: 100 })
    expect([await large.ask('a'), await large.ask('a')]).toEqual(['a1', 'a2'])
    const failed = createAnswers({ bytesOf: () => undefined })
    expect([await failed.ask('a'), await failed.ask('a')]).toEqual(['a1', 'a2'])
  })

  it('belong to one request', async () => {
    const { ask } = createAnswers()
    await ask('a', 'one')
    await expect(ask('a', 'two')).rejects.toMatchObject({ code: 'KEY_REUSED' })
    expect(await ask('a', 'one')).toBe('a1')
  })

  it('are waited for by whoever asks meanwhile, unless it asks for something else', async () => {
    const { answers } = createAnswers()
    const gate = createGate()
    let made = 0
    const work = async (): Promise<string> => {
      made++
      await gate.promise
      return 'done'
    }
    const all = [1, 2, 3].map(() => answers.once('a', 'one', work))
    await expect(answers.once('a', 'two', work)).rejects.toMatchObject({ code: 'KEY_REUSED' })
    gate.open()
    expect(await Promise.all(all)).toEqual(['done', 'done', 'done'])
    expect(made).toBe(1)
  })

  it('that fail are made anew by whoever waited, one after the other', async () => {
    const { answers } = createAnswers()
    let running = 0
    let made = 0
    const work = async (): Promise<string> => {
      expect(++running).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      if (++made < 3) throw new Error(`failure ${made}`)
      return 'done'
    }
    const all = await Promise.allSettled([1, 2, 3, 4].map(() => answers.once('a', '', work)))
    expect(all.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason)))).toEqual([
      'Error: failure 1',
      'Error: failure 2',
      'done',
      'done',
    ])
  })

  it('begin in the turn in which they are asked for', () => {
    const { answers } = createAnswers()
    const order: string[] = []
    const work = (name: string) => () => {
      order.push(name)
      return name
    }
    for (const name of ['a', 'b', 'c']) void answers.once(name, '', work(name))
    expect(order).toEqual(['a', 'b', 'c'])
  })
})
