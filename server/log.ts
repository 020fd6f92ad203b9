import { type DestinationStream, destination, type Logger as PinoLogger, pino } from 'pino'
import pretty from 'pino-pretty'
import { TuttiError } from '../lib/errors.ts'
import type { Logger } from './contracts.ts'

export interface LogOptions {
  /** Least severe entry that is written. */
  readonly level: string
  /** Where it goes; default stderr: JSON lines, or text for people if that is a terminal. */
  readonly destination?: DestinationStream
}

const STDERR = 2

/**
 * The server's log. Writes at once: the last line before an exit is the one that matters, and there is no line per
 * message.
 */
export const createLog = ({ level, destination: given }: LogOptions): PinoLogger => {
  if (given !== undefined) return pino({ level }, given)
  if (process.stderr.isTTY) return pino({ level }, pretty({ destination: STDERR, sync: true, ignore: 'pid,hostname' }))
  return pino({ level }, destination({ dest: STDERR, sync: true }))
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies (keyof Logger)[]

/**
 * A log of the application's own. What it throws, or rejects with, harms nobody: the first time it is told to another
 * log.
 * @param fallback makes that other log
 * @throws TuttiError `INVALID_OPTION` if it is none
 */
export const guardLog = (given: Logger, fallback: () => Logger): Logger => {
  let hasFailed = false
  const failed = (err: unknown): void => {
    if (hasFailed) return
    hasFailed = true
    fallback().error({ err }, 'the given logger failed; this is told once')
  }
  const guarded: Partial<Record<keyof Logger, Logger['error']>> = {}
  for (const level of LEVELS) {
    if (typeof (given as Partial<Logger> | null)?.[level] !== 'function') {
      throw new TuttiError('INVALID_OPTION', `The logger has no function ${level}.`, {
        path: ['logger'],
        hint: `Give an object with the functions ${LEVELS.join(', ')}, each of (fields, message).`,
      })
    }
    guarded[level] = (fields, message) => {
      try {
        const answer: unknown = given[level](fields, message)
        if (answer instanceof Promise) answer.catch(failed)
      } catch (error) {
        failed(error)
      }
    }
  }
  return guarded as Logger
}
