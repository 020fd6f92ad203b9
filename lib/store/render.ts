/**
 * Whether a component is rendering right now. Rendering is synchronous and there is one call stack, so one counter
 * serves every store and every binding of a page; it is the only state this folder shares.
 */
let depth = 0

export const isRendering = (): boolean => depth > 0

/** Runs `fn` as the rendering of a component: a store refuses writes meanwhile. */
export const rendering = <R>(fn: () => R): R => {
  depth++
  try {
    return fn()
  } finally {
    depth--
  }
}
