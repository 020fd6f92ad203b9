/** How fast one connection may subscribe: each time others may be told, and applications by webhooks. */
import { TuttiError } from '../../lib/errors.ts'
import { TokenBucket } from './tokenBucket.ts'

export interface JoinLimits {
  readonly maxRoomsPerConnection: number
  readonly maxJoinsPerSecond: number
}

/** Takes one subscription into account. Throws `RATE_LIMITED` if it came too soon. */
export type JoinRate = () => void

/** A client that comes back subscribes to all it had at once: so many pass without a rest, beside those of a second. */
export const createJoinRate = ({ maxRoomsPerConnection, maxJoinsPerSecond }: JoinLimits): JoinRate => {
  const most = maxRoomsPerConnection + maxJoinsPerSecond
  const bucket = new TokenBucket(maxJoinsPerSecond, performance.now(), most)
  return () => {
    if (bucket.take(performance.now())) return
    throw new TuttiError(
      'RATE_LIMITED',
      `This connection subscribes too often; ${maxJoinsPerSecond} in a second are taken after the first ${most}.`,
      { hint: 'Wait a moment and subscribe again, or raise maxJoinsPerSecond on the server.' },
    )
  }
}
