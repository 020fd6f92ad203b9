/**
 * Hooks: functions of the application that a server calls, and may ask. The one list of them, with what each is given;
 * the README's table is checked against `HOOKS`.
 */
import type { Caller, Change, Person } from './contracts.ts'

export interface ConnectHook {
  readonly caller: Caller
}

export interface DisconnectHook {
  readonly caller: Caller
  /** The close code of the connection; 1006: it broke. */
  readonly code: number
}

export interface JoinHook {
  readonly room: string
  readonly caller: Caller
  /** Who it is, where they have proved it: a member of a Pusher presence channel, or a signed-in Pusher user. */
  readonly user: Person | undefined
  /**
   * The room needs the signature of an app, which this caller has not shown: only `true` lets it in. See `Hooks.join`.
   */
  readonly isGuarded: boolean
}

export interface LeaveHook {
  readonly room: string
  readonly caller: Caller
  /** As given to `join`. */
  readonly user: Person | undefined
  /** The connection did not say good-bye: whoever it was may be back in a moment. */
  readonly hasBroken: boolean
}

export interface BeforeChangeHook extends Change {
  readonly room: string
}

export interface AfterChangeHook {
  readonly room: string
  /** What was stored since the last call, in order. Several, if they came together or while the hook was busy. */
  readonly changes: readonly Change[]
}

export interface BeforeEventHook {
  readonly room: string
  readonly event: string
  /** JSON, parsed; a text that is not JSON as it is; or bytes. Read anew at each access. */
  readonly data: unknown
  /** `peer`: a client sent it. `server`: a back end. */
  readonly from: 'peer' | 'server'
  /** The user who sent it, as the receivers may know it. */
  readonly userId: string | undefined
  /** The `id` of the connection that does not get it: of the client that sent it, or the one that a back end named. */
  readonly except: string | undefined
  /** Who published it: the connection or the HTTP request that it came by; `undefined`: in process. */
  readonly caller: Caller | undefined
}

/**
 * What to publish instead; what is left out stays as it was. Data may be as large as the app of the room allows, or else
 * the server, or as what it replaces.
 */
export interface EventReplacement {
  readonly event?: string
  /** JSON, or bytes. */
  readonly data?: unknown
}

export interface RoomHook {
  readonly room: string
}

export interface RoomCreatedHook extends RoomHook {
  /** Nothing was ever stored of it. */
  readonly isNew: boolean
}

/** What it returns does not count. */
type Told<C> = (context: C) => void

/** Answers with `false`, `true` or nothing; or, with `R`, by something else. */
type Asked<C, R = never> =
  | ((context: C) => R | boolean | undefined | Promise<R | boolean | undefined>)
  | ((context: C) => void | Promise<void>)

/**
 * What an application may hook into, each as a function of one argument, which may be asynchronous.
 *
 *     createServer({ hooks: { join: ({ room, caller }) => mayRead(caller.header('cookie'), room) } })
 *
 * The hooks that are *asked* (`connect`, `join`, `beforeChange`, `beforeEvent`) refuse by returning `false` or by
 * throwing: the one action they were asked about does not happen, everybody else goes on. A `TuttiError` that they throw
 * is told with code, message and hint where there is an answer to put them in: over HTTP, for events and channels of
 * Tutti's client, and as text to Pusher's. Where a connection is closed (`connect`, `join` to its own room,
 * `beforeChange`) it is the close code and the message; an error without a close code closes with 4403. An error whose
 * code has no HTTP status is told as `FORBIDDEN`, or `TRY_LATER` if it may be retried. Of any other error the client hears only `FORBIDDEN`, and the log has the cause. One that does
 * not answer within `hookTimeoutSeconds` refuses with `TRY_LATER`.
 *
 * The hooks that are *told* (the others) can refuse nothing: what they throw is logged.
 *
 * For one connection they run in order, each after the one before is done: `connect`, then per room `join` and `leave`,
 * then `disconnect`. Without a hook nothing of this costs anything.
 */
export interface Hooks {
  /** A WebSocket was opened, by any door. What it sends meanwhile waits. */
  readonly connect?: Asked<ConnectHook> | undefined
  /** A connection that `connect` let in has ended, after `leave` for each of its rooms. */
  readonly disconnect?: Told<DisconnectHook> | undefined
  /**
   * Someone wants to use a room: a connection its document or its events, or a request over HTTP, which has no `leave`.
   * Rooms of an app that need its signature are closed to all doors but Pusher's: there only `true` lets in. A caller
   * that shows the app's secret as bearer token is let in without being asked about.
   */
  readonly join?: Asked<JoinHook> | undefined
  /** A connection that `join` let in has left the room. */
  readonly leave?: Told<LeaveHook> | undefined
  /**
   * A document is about to be changed: by a client, over HTTP or in process. Refused, a client's connection is closed
   * with the error, as for any update that can't be taken, and the change stays in the client's own copy; a back end gets
   * the error. Later frames of the same connection wait, others do not.
   *
   * Changes of back ends to one room take turns meanwhile. One that a client was faster than is worked out again, and
   * asked about again if it came out otherwise, 5 times at most. So the hook must not wait for a change by the back end
   * in the same room: that one comes after.
   */
  readonly beforeChange?: Asked<BeforeChangeHook> | undefined
  /** Changes of a document have been stored: they survive a crash. One call at a time for each room. */
  readonly afterChange?: Told<AfterChangeHook> | undefined
  /**
   * An event is about to be published, by any door. What it returns is published instead. It is called at once for
   * each event; the events of a room are published in the order in which they came, however long each call takes. So
   * it must not wait for an event of its own in the same room: that one comes after.
   */
  readonly beforeEvent?: Asked<BeforeEventHook, EventReplacement> | undefined
  /** A room's document has been loaded, since someone joined the room, or a back end read or changed it. */
  readonly roomCreated?: Told<RoomCreatedHook> | undefined
  /** A room is no longer in memory: nobody was there for `roomIdleSeconds`, or the server stops. */
  readonly roomUnloaded?: Told<RoomHook> | undefined
}

/** Every hook, in the order in which they are met. `asked`: it may refuse. `told`: it can't. */
export const HOOKS = {
  connect: 'asked',
  join: 'asked',
  roomCreated: 'told',
  beforeChange: 'asked',
  afterChange: 'told',
  beforeEvent: 'asked',
  leave: 'told',
  disconnect: 'told',
  roomUnloaded: 'told',
} as const satisfies Record<keyof Hooks, 'asked' | 'told'>

export type HookName = keyof typeof HOOKS
