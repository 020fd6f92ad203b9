/** A promise and how to settle it: what a test holds back until it says so. */
export interface Gate {
  readonly promise: Promise<void>
  open(): void
}

export const createGate = (): Gate => {
  let open = (): void => undefined
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open: () => open() }
}
