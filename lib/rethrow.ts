/**
 * Throws the error in a task of its own, where it reaches `window.onerror` or `uncaughtException` as any error of a
 * listener does, without stopping the caller or the listeners after this one.
 */
export const rethrow = (error: unknown): void => {
  setTimeout(() => {
    throw error
  })
}

/** Calls a function of the application, whose errors are not the caller's: see `rethrow`. */
export const callApart = (fn: () => unknown): void => {
  try {
    fn()
  } catch (error) {
    rethrow(error)
  }
}
