/** Client events: which ones are passed on to the other subscribers of a channel. */
import { TuttiError } from '../../lib/errors.ts'
import { eventNameProblem } from '../../lib/protocol.ts'
import type { App } from '../apps.ts'
import type { ClientEventRequest } from '../protocol/pusherMessage.ts'
import type { ChannelKind } from '../protocol/pusherName.ts'

const refused = (problem: string, hint: string): TuttiError =>
  new TuttiError('FORBIDDEN', `The client event was not sent: ${problem}.`, { hint })

/**
 * Checks everything but the rate.
 * @param subscribed of what kind its channel is; `undefined` if the sender is not subscribed to it
 * @throws TuttiError `FORBIDDEN`
 */
export const checkClientEvent = (
  { clientEvents, limits }: App,
  { event, channel, body }: ClientEventRequest,
  subscribed: ChannelKind | undefined,
): void => {
  if (!clientEvents) throw refused('the app allows none', 'Switch clientEvents of the app on.')
  if (!subscribed) throw refused('its channel is not subscribed', 'Wait until the subscription has succeeded.')
  if (!subscribed.isPrivate || subscribed.isEncrypted) {
    throw refused(
      `${channel} is ${subscribed.isEncrypted ? 'encrypted' : 'no private or presence channel'}`,
      'Send it through your back end.',
    )
  }
  const problem = eventNameProblem(event, limits.maxEventNameLength)
  if (problem !== undefined) throw refused(`its name can't be used: ${problem}`, 'Choose another name.')
  const bytes = Buffer.byteLength(body)
  if (bytes > limits.maxEventBytes) {
    throw refused(`its data has ${bytes} bytes; at most ${limits.maxEventBytes} are allowed`, 'Send less data.')
  }
}
