import { type DestinationStream, destination, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

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
export const createLog = ({ level, destination: given }: LogOptions): Logger => {
  if (given !== undefined) return pino({ level }, given)
  if (process.stderr.isTTY) return pino({ level }, pretty({ destination: STDERR, sync: true, ignore: 'pid,hostname' }))
  return pino({ level }, destination({ dest: STDERR, sync: true }))
}
