import { Worker } from 'node:worker_threads'
import { TuttiError } from '../../lib/errors.ts'
import type { Compacted, Compactor } from '../contracts.ts'
import type { CompactionAnswer, CompactionRequest } from './compactionWorker.ts'

/** A thread without work is ended after this; a new one takes about 50 ms to start. */
const IDLE_MS = 30_000

interface Job {
  readonly updates: readonly Uint8Array[]
  resolve(compacted: Compacted): void
  reject(error: Error): void
}

export interface CompactorOptions {
  /** Milliseconds after which a thread without work is ended. Default 30,000. */
  idleMs?: number
  /** What the thread runs. Default: `compactionWorker.js` next to this file in its built form. */
  script?: URL
}

/**
 * Compacts in a worker thread, one room at a time. The thread starts with the first job and ends when it was idle for
 * 30 s. If it dies, the running job is rejected and the next one gets a new thread.
 */
export const createCompactor = ({
  idleMs = IDLE_MS,
  // Plain Node cannot run the TypeScript source as a thread.
  script = new URL('./compactionWorker.js', import.meta.url),
}: CompactorOptions = {}): Compactor => {
  const queue: Job[] = []
  let running: Job | undefined
  let worker: Worker | undefined
  let idle: NodeJS.Timeout | undefined
  let closed = false

  const failure = (message: string, cause?: unknown): TuttiError =>
    new TuttiError('INTERNAL', message, {
      hint: 'The room goes on with the segments it has; it is tried again when it has grown.',
      cause,
    })

  const settle = (): Job | undefined => {
    const job = running
    running = undefined
    return job
  }

  const start = (): Worker => {
    // The flags of the process that embeds the server (`--input-type`, `--import`) are not meant for this thread.
    const thread = new Worker(script, { execArgv: [] })
    thread.on('message', (answer: CompactionAnswer) => {
      const job = settle()
      if (answer.type === 'done') job?.resolve(answer.compacted)
      else job?.reject(failure(answer.message))
      next()
    })
    const gone = (cause: unknown): void => {
      if (worker !== thread) return
      worker = undefined
      settle()?.reject(failure('The compaction thread ended in the middle of its work.', cause))
      next()
    }
    thread.on('error', gone)
    thread.on('exit', (code) => gone(new Error(`It ended with code ${code}.`)))
    return thread
  }

  const end = async (): Promise<void> => {
    clearTimeout(idle)
    const thread = worker
    worker = undefined
    await thread?.terminate()
  }

  const next = (): void => {
    if (running !== undefined || closed) return
    clearTimeout(idle)
    running = queue.shift()
    if (running === undefined) {
      // An idle thread must not keep the process alive.
      worker?.unref()
      if (worker !== undefined) idle = setTimeout(() => void end(), idleMs).unref()
      return
    }
    // The room keeps its buffers: the thread gets copies, which are handed over and not copied once more.
    // (`slice` of a Buffer would be a view of a buffer that others use.)
    const updates = running.updates.map((update) => new Uint8Array(update))
    const request: CompactionRequest = { updates }
    try {
      worker ??= start()
      worker.ref()
      worker.postMessage(
        request,
        updates.map(({ buffer }) => buffer),
      )
    } catch (error) {
      settle()?.reject(failure('The compaction thread could not be started.', error))
      queueMicrotask(next)
    }
  }

  return {
    compact: (updates) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new TuttiError('GOING_AWAY', 'The server is closing; nothing is compacted any more.'))
          return
        }
        queue.push({ updates, resolve, reject })
        next()
      }),
    close: async () => {
      closed = true
      const left = [settle(), ...queue.splice(0)]
      for (const job of left) job?.reject(new TuttiError('GOING_AWAY', 'The server closed before this was compacted.'))
      await end()
    },
  }
}
