import * as Y from 'yjs'
import type { Run, Struct } from './structs.ts'

/**
 * Walks the structs of an update in an order in which each builds only on what the document has or what came before,
 * and calls `visit` with their indices. `false` if there is no such order: the rest would stay pending.
 *
 * The walk is the one Yjs does: a struct waits on a stack while the client it builds on goes ahead; if that one has
 * nothing left, or comes back to a client that waits, they stay pending. Skips are not visited.
 *
 * @param stateOf the document's next clock of a client
 */
export const walkInOrder = (
  structs: readonly Struct[],
  runs: readonly Run[],
  stateOf: (client: number) => number,
  visit: (index: number) => void,
): boolean => {
  const sections = new Map<number, { next: number; end: number }>()
  const states = new Map<number, number>()
  for (const run of runs) {
    const section = sections.get(run.client)
    if (section === undefined) {
      sections.set(run.client, { next: run.start, end: run.end })
      states.set(run.client, stateOf(run.client))
    } else {
      section.end = run.end
    }
  }
  const currentStateOf = (client: number): number => states.get(client) ?? stateOf(client)
  const waiting: number[] = []
  for (const section of sections.values()) {
    while (waiting.length > 0 || section.next < section.end) {
      const index = waiting.length > 0 ? waiting.pop()! : section.next++
      const struct = structs[index]!
      if (struct.constructor === Y.Skip) continue
      const { client, clock } = struct.id
      const state = currentStateOf(client)
      if (clock > state) return false
      const missing = struct.constructor === Y.Item ? missingClient(struct as Y.Item, currentStateOf) : undefined
      if (missing === undefined) {
        if (clock + struct.length > state) states.set(client, clock + struct.length)
        visit(index)
        continue
      }
      const other = sections.get(missing)
      if (other === undefined || other.next === other.end) return false
      waiting.push(index, other.next++)
    }
  }
  return true
}

const missingClient = (item: Y.Item, stateOf: (client: number) => number): number | undefined => {
  const { origin, rightOrigin, parent } = item
  const own = item.id.client
  if (origin !== null && origin.client !== own && origin.clock >= stateOf(origin.client)) return origin.client
  if (rightOrigin !== null && rightOrigin.client !== own && rightOrigin.clock >= stateOf(rightOrigin.client)) {
    return rightOrigin.client
  }
  if (parent instanceof Y.ID && parent.client !== own && parent.clock >= stateOf(parent.client)) return parent.client
  return undefined
}
