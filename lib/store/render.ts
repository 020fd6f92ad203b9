import { fail } from './failure.ts'
import { isDevelopment } from './hints.ts'
import type { Graph } from './schema.ts'

const warned = new WeakSet<Graph>()

const refuseWrite = (graph: Graph): void => {
  const message = 'a component wrote to the store while it was rendering'
  if (isDevelopment) fail('WRITE_IN_RENDER', [], message)
  // In production what worked so far goes on.
  if (warned.has(graph)) return
  warned.add(graph)
  console.warn(`Tutti: ${message}`)
}

/**
 * What becomes of a write right now. Rendering is synchronous and there is one call stack, so this serves every store
 * and every binding of a page. A page without bindings carries no refusal.
 */
let refuse: typeof refuseWrite | undefined

/** Throws `WRITE_IN_RENDER` while a component renders; in production it warns once. */
export const checkNotRendering = (graph: Graph): void => refuse?.(graph)

/** Runs `fn` as the rendering of a component: a store refuses writes meanwhile. */
export const rendering = <R>(fn: () => R): R => {
  const outer = refuse
  refuse = refuseWrite
  try {
    return fn()
  } finally {
    refuse = outer
  }
}
