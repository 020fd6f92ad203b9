/**
 * Who may use a room by a door that asks for no signature: WebSockets of rooms, subscriptions of theirs to the events of
 * other rooms, and HTTP requests. A caller that shows an app's secret is a back end of it, and may. Everyone else is
 * asked about, if there is a `join` hook; and rooms that need the signature of an app are closed unless it says `true`.
 */

import { TuttiError } from '../../lib/errors.ts'
import type { App, Apps } from '../apps.ts'
import type { Admission, Caller } from '../contracts.ts'
import { equalsInConstantTime } from '../protocol/hmac.ts'
import { askToJoin, notLetIn } from './connectionHooks.ts'
import type { HookCalls } from './hookCalls.ts'
import type { HookedConnections } from './hookedConnections.ts'

export interface AdmissionParts {
  readonly apps: Pick<Apps, 'all' | 'guardOf' | 'ownerOf'>
  /** Rooms that need a signature are as open as all others. */
  readonly isOpen: boolean
  /** `undefined`: the server has no hooks. */
  readonly calls: HookCalls | undefined
  readonly hooked: HookedConnections | undefined
}

const BEARER = /^Bearer +(\S+)\s*$/i

const shows = (secret: string, { secrets }: App): boolean => {
  let isShown = false
  // Each is compared, so that the time does not tell which one it was.
  for (const own of secrets) if (equalsInConstantTime(own, secret)) isShown = true
  return isShown
}

/** `undefined`: everyone may use every room. */
export const createAdmission = ({ apps, isOpen, calls, hooked }: AdmissionParts): Admission | undefined => {
  const hasHook = calls?.hooks.join !== undefined || calls?.hooks.leave !== undefined
  if (!hasHook && (isOpen || apps.all.length === 0)) return undefined

  /** A back end of the app that the room belongs to. */
  const isBackEnd = (room: string, caller: Caller): boolean => {
    const secret = BEARER.exec(caller.header('authorization'))?.[1]
    const owner = secret === undefined ? undefined : apps.ownerOf(room)
    return secret !== undefined && owner?.enabled === true && shows(secret, owner)
  }

  return {
    admit: (room, caller) => {
      const guard = apps.guardOf(room)
      if (isBackEnd(room, caller)) return undefined
      const isGuarded = guard !== undefined && !isOpen
      if (!calls) {
        if (isGuarded) throw notLetIn(room)
        return undefined
      }
      if (caller.door === 'http') return askToJoin(calls, { room, caller, user: undefined, isGuarded })
      const hooks = hooked?.of(caller)
      // It may have gone while `connect` was being asked.
      if (!hooks) throw new TuttiError('FORBIDDEN', 'The connection has ended.')
      return hooks.join(room, isGuarded)
    },
    left: (room, caller) => hooked?.of(caller)?.leave(room, false),
  }
}
