/**
 * Throws the error in a task of its own, where it reaches `window.onerror` or `uncaughtException` as any error of a
 * listener does, without stopping the caller or the listeners after this one.
 */
export const rethrow = (error: unknown): void => {
  setTimeout(() => {
    throw error
  })
}
