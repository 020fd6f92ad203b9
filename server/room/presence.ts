/**
 * A room's awareness table. An entry belongs to one session; nobody speaks for another's.
 *
 * How a client id finds its session:
 *  1. A session's own id is *declared*: by the hello of a client that opted in, or by the single-entry awareness frame
 *     right after the sync step 1 (stock clients send both when their socket opens).
 *  2. Any other id not owned by a live session is *adopted* by the first session that brings it with a clock higher
 *     than the last one known: a re-rolled Y.Doc, or a tab that forwards its neighbour's entry over BroadcastChannel
 *     before the neighbour's own socket opens. A declaration outranks an adoption.
 *  3. Everything else is an echo (stock clients send back each remote change they receive) and is dropped unparsed.
 *
 * Who is here by another door is *hosted*: shown by the room itself, under a client id that nobody else has.
 */
import { randomInt } from 'node:crypto'
import { type AwarenessEntry, checkState, isNullState } from '../protocol/awareness.ts'

/** Clocks of members that left, so that an echo does not revive them: as many ids as are remembered. */
const REMEMBERED_CLOCKS = 1024
/** Yjs client ids have 32 bits. */
const CLIENT_ID_BOUND = 2 ** 32

interface Member<Owner> {
  clock: number
  /** JSON of the state; `null` where the member is known but shows nothing. */
  state: string | null
  /** `undefined`: it is hosted. */
  owner: Owner | undefined
  declared: boolean
}

export interface ShownMember {
  readonly client: number
  readonly clock: number
  readonly state: string
}

export type Claim<Owner> =
  | { readonly outcome: 'owned' | 'free' | 'echo' }
  | { readonly outcome: 'taken'; readonly owner: Owner }

/** What a presence table tells of the clients in it, at once. */
export interface PresenceParts<Owner> {
  /** A client shows something, or something else. */
  shown(client: number, state: object, owner: Owner): void
  /** A client shows nothing any more. `hasBroken`: its connection did not say good-bye. */
  hidden(client: number, hasBroken: boolean): void
}

export class Presence<Owner extends object> {
  readonly #parts: PresenceParts<Owner>
  readonly #members = new Map<number, Member<Owner>>()
  readonly #clocks = new Map<number, number>()
  readonly #changed = new Set<number>()

  constructor(parts: PresenceParts<Owner>) {
    this.#parts = parts
  }

  get hasChanges(): boolean {
    return this.#changed.size > 0
  }

  /** The live session that owns a client id. */
  ownerOf(client: number): Owner | undefined {
    return this.#members.get(client)?.owner
  }

  /** The highest clock known of a client id, present or gone. */
  clockOf(client: number): number {
    return this.#members.get(client)?.clock ?? this.#clocks.get(client) ?? 0
  }

  /** What an entry brought by `owner` is, without parsing its state. */
  claim(owner: Owner, entry: AwarenessEntry, declares: boolean): Claim<Owner> {
    const member = this.#members.get(entry.client)
    if (member) {
      if (member.owner === owner) return { outcome: 'owned' }
      if (member.owner === undefined) return { outcome: 'echo' }
      if (!declares) return { outcome: 'echo' }
      return member.declared ? { outcome: 'taken', owner: member.owner } : { outcome: 'free' }
    }
    if (declares) return { outcome: 'free' }
    const isNews = !isNullState(entry) && entry.clock > this.clockOf(entry.client)
    return { outcome: isNews ? 'free' : 'echo' }
  }

  /** Gives a client id to a session, with whatever is known of it. */
  bind(owner: Owner, client: number, declared: boolean): void {
    const member = this.#members.get(client)
    if (member) {
      member.owner = owner
      member.declared = declared
      return
    }
    this.#members.set(client, { clock: this.clockOf(client), state: null, owner, declared })
    this.#clocks.delete(client)
  }

  /**
   * Takes an entry of a client id that its bringer owns.
   * @throws TuttiError `PROTOCOL` or `TOO_LARGE` for a state that is not a JSON object or too long.
   */
  apply(entry: AwarenessEntry, maxBytes: number): void {
    const member = this.#members.get(entry.client)
    if (!member?.owner) return
    const isNull = isNullState(entry)
    const isNews = entry.clock > member.clock || (entry.clock === member.clock && isNull && member.state !== null)
    if (!isNews) return
    const checked = isNull ? undefined : checkState(entry, maxBytes)
    const wasShown = member.state !== null
    member.clock = entry.clock
    member.state = checked?.value ? checked.json : null
    this.#changed.add(entry.client)
    if (checked?.value) this.#parts.shown(entry.client, checked.value, member.owner)
    else if (wasShown) this.#parts.hidden(entry.client, false)
  }

  /** Forgets the client ids of a session that ended; the others will hear of it. */
  release(owner: Owner, clients: Iterable<number>, hasBroken: boolean): void {
    for (const client of clients) {
      const member = this.#members.get(client)
      if (member?.owner !== owner) continue
      this.#members.delete(client)
      this.#remember(client, member.clock)
      if (member.state === null) continue
      this.#changed.add(client)
      this.#parts.hidden(client, hasBroken)
    }
  }

  /** Shows someone who is here by another door, until `dismiss`. @returns the client id */
  host(state: string): number {
    let client: number
    do client = randomInt(CLIENT_ID_BOUND)
    while (this.#members.has(client) || this.#clocks.has(client))
    this.#members.set(client, { clock: 1, state, owner: undefined, declared: true })
    this.#changed.add(client)
    return client
  }

  /** Shows hosted ones again, as they are: clients drop what is not renewed for 30 s. */
  renew(clients: Iterable<number>): void {
    for (const client of clients) {
      const member = this.#members.get(client)
      if (!member) continue
      member.clock++
      this.#changed.add(client)
    }
  }

  dismiss(client: number): void {
    const member = this.#members.get(client)
    if (!member) return
    this.#members.delete(client)
    this.#remember(client, member.clock)
    this.#changed.add(client)
  }

  /** What changed since the last call, one entry per client, for one frame to everyone. */
  takeChanges(): ShownMember[] {
    const changes: ShownMember[] = []
    for (const client of this.#changed) {
      const member = this.#members.get(client)
      changes.push({ client, clock: this.clockOf(client), state: member?.state ?? 'null' })
    }
    this.#changed.clear()
    return changes
  }

  /** Everyone who shows something. */
  *shown(): Generator<ShownMember> {
    for (const [client, { clock, state }] of this.#members) {
      if (state !== null) yield { client, clock, state }
    }
  }

  /** Members that left, for someone who may have missed it. */
  *gone(): Generator<ShownMember> {
    for (const [client, clock] of this.#clocks) yield { client, clock, state: 'null' }
  }

  #remember(client: number, clock: number): void {
    this.#clocks.delete(client)
    this.#clocks.set(client, clock)
    if (this.#clocks.size <= REMEMBERED_CLOCKS) return
    const [oldest] = this.#clocks.keys()
    if (oldest !== undefined) this.#clocks.delete(oldest)
  }
}
