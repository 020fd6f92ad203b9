declare module 'fs-native-extensions' {
  /**
   * Asks the kernel for an exclusive lock on a whole file: `false` if another open file holds one. The lock belongs to
   * the open file and ends when that is closed, at the latest with the process.
   */
  export function tryLock(fd: number): boolean
}
