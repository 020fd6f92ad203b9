import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { TuttiError } from '../../lib/errors.ts'

/** Empty, never deleted: removing a lock file while it is taken would let two processes lock two files of one name. */
const LOCK_FILE = 'tutti.lock'

/**
 * Creates the folder if it is missing and takes it for this process alone; returns what gives it back.
 *
 * The lock is the kernel's (OFD locks on Linux, flock on macOS, LockFileEx on Windows), held on an open file: it ends
 * with the process however that ends, and it also keeps out a second opening in the same process. A file holding a
 * process id would have done neither.
 *
 * @throws `DATA_IN_USE` if it is taken; `INVALID_OPTION` if there is something else than a folder under this name;
 * `STORAGE_FAILED` if it can't be created, written or locked.
 */
export const lockFolder = async (folder: string): Promise<() => void> => {
  const path = resolve(folder)
  createFolder(path)
  const fd = openLockFile(path)
  try {
    // Loaded here, not at the top: a server without a data folder needs no native code for it.
    const { tryLock } = await import('fs-native-extensions')
    if (!tryLock(fd)) {
      throw new TuttiError('DATA_IN_USE', `The data folder ${path} is in use by another Tutti server.`, {
        hint: 'Stop the other server, or give this one a folder of its own with --data.',
      })
    }
  } catch (error) {
    closeSync(fd)
    if (error instanceof TuttiError) throw error
    throw new TuttiError('STORAGE_FAILED', `The data folder ${path} can't be locked: ${messageOf(error)}.`, {
      hint: 'Choose a folder on a local disk with --data; some network file systems have no locks.',
      cause: error,
      retryable: false,
    })
  }
  return () => closeSync(fd)
}

const createFolder = (path: string): void => {
  try {
    makeFolder(path)
    if (statSync(path).isDirectory()) return
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOTDIR') throw unusable(path, error)
  }
  throw new TuttiError('INVALID_OPTION', `The data folder ${path} is not a folder, or lies below a file.`, {
    hint: 'Name a folder with --data; it is created if it is missing.',
  })
}

/** Not `mkdirSync`'s own recursion: where a folder is there but can't have another (in /proc), that never ends. */
const makeFolder = (path: string): void => {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const parent = dirname(path)
    if (codeOf(error) === 'EEXIST') return
    if (codeOf(error) !== 'ENOENT' || existsSync(parent)) throw error
    makeFolder(parent)
    mkdirSync(path, { mode: 0o700 })
  }
}

const openLockFile = (path: string): number => {
  try {
    // Writable: an exclusive lock is granted to no other.
    return openSync(join(path, LOCK_FILE), 'a+', 0o600)
  } catch (error) {
    throw unusable(path, error)
  }
}

const unusable = (path: string, error: unknown): TuttiError =>
  new TuttiError('STORAGE_FAILED', `The data folder ${path} can't be used: ${messageOf(error)}.`, {
    hint: 'Give the user who runs Tutti the right to write there, or choose another folder with --data.',
    cause: error,
    retryable: false,
  })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
