/** Answers that are written as they come: each ends with its client, or with the server. */
import type uWS from 'uWebSockets.js'
import type { Sink, StreamWriter } from '../contracts.ts'

class NetSink implements Sink {
  #res: uWS.HttpResponse | undefined
  readonly #ended: () => void

  constructor(res: uWS.HttpResponse, ended: () => void) {
    this.#res = res
    this.#ended = ended
  }

  write(chunk: Uint8Array): boolean {
    const res = this.#res
    if (!res) return true
    let isTaken = false
    res.cork(() => {
      isTaken = res.write(chunk)
    })
    return isTaken
  }

  end(): void {
    const res = this.#res
    if (!res) return
    this.detach()
    res.cork(() => res.end())
    this.#ended()
  }

  /** The response must not be touched any more. */
  detach(): void {
    this.#res = undefined
  }
}

export interface Streams {
  readonly count: number
  /**
   * Lets a writer write the body of an answer whose head has been written.
   * @returns what to call when the client is gone
   */
  open(res: uWS.HttpResponse, start: (sink: Sink) => StreamWriter): () => void
  /** Ends all of them, as the server stops. */
  close(): void
}

export const createStreams = (): Streams => {
  const open = new Map<NetSink, StreamWriter | undefined>()
  return {
    get count() {
      return open.size
    },
    open: (res, start) => {
      const sink = new NetSink(res, () => open.delete(sink))
      open.set(sink, undefined)
      res.onWritable(() => {
        // uWebSockets.js leaves to this call to send what waits: it does so with the next chunk.
        open.get(sink)?.drained()
        return true
      })
      const writer = start(sink)
      if (open.has(sink)) open.set(sink, writer)
      return () => {
        sink.detach()
        if (open.delete(sink)) writer.closed()
      }
    },
    close: () => {
      for (const [sink, writer] of [...open]) {
        sink.end()
        writer?.closed()
      }
    },
  }
}
