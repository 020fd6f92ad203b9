/** The thread behind `compaction.ts`: one request, one answer, in order. */
import { parentPort } from 'node:worker_threads'
import type { Compacted } from '../contracts.ts'
import { compactUpdates } from './compact.ts'

export interface CompactionRequest {
  readonly updates: readonly Uint8Array[]
}

export type CompactionAnswer =
  | { readonly type: 'done'; readonly compacted: Compacted }
  | { readonly type: 'failed'; readonly message: string }

if (parentPort === null) throw new Error('compactionWorker runs as a worker thread only.')
const port = parentPort

const answer = (updates: readonly Uint8Array[]): CompactionAnswer => {
  try {
    return { type: 'done', compacted: compactUpdates(updates) }
  } catch (error) {
    return { type: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
}

port.on('message', (request: CompactionRequest) => {
  const result = answer(request.updates)
  const bytes = result.type === 'done' ? result.compacted.updates : []
  // A piece may be the view of a larger buffer (and then share it): only whole buffers can be handed over.
  const whole = bytes.filter(({ byteLength, buffer }) => byteLength === buffer.byteLength)
  port.postMessage(result, [...new Set(whole.map(({ buffer }) => buffer as ArrayBuffer))])
})
