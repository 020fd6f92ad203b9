/** What a WebSocket frame carries, told by its first bytes (y-websocket: 0 document, 1 presence; Tutti's own: 100). */
export type FrameKind = 'document' | 'presence' | 'event' | 'ack' | 'control'

export interface Frame {
  /** `out` from the client to the server, `in` the other way. */
  readonly direction: 'out' | 'in'
  readonly kind: FrameKind
  readonly bytes: number
}

const DOCUMENT = 0
const PRESENCE = 1
const TUTTI = 100
const TUTTI_ACK = 2
/** Subscribing, events in both directions and their answers, people who come and go. */
const TUTTI_EVENTS: readonly (number | undefined)[] = [5, 6, 7, 8, 9, 10, 11, 12, 14]

export const frameKind = (bytes: Uint8Array): FrameKind => {
  switch (bytes[0]) {
    case DOCUMENT:
      return 'document'
    case PRESENCE:
      return 'presence'
    case TUTTI:
      if (bytes[1] === TUTTI_ACK) return 'ack'
      return TUTTI_EVENTS.includes(bytes[1]) ? 'event' : 'control'
    default:
      return 'control'
  }
}

const bytesOf = (message: unknown): Uint8Array | undefined => {
  if (message instanceof ArrayBuffer) return new Uint8Array(message)
  if (ArrayBuffer.isView(message)) return new Uint8Array(message.buffer, message.byteOffset, message.byteLength)
  return undefined
}

// #region tap
/** The browser's own WebSocket, which also reports every frame that passes: the wire between the desks draws these. */
export const tapWebSocket = (report: (frame: Frame) => void): typeof WebSocket =>
  class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      this.addEventListener('message', (event) => tell('in', event.data, report))
    }
    override send(message: string | BufferSource | Blob): void {
      tell('out', message, report)
      super.send(message as BufferSource)
    }
  }
// #endregion

const tell = (direction: Frame['direction'], message: unknown, report: (frame: Frame) => void): void => {
  const bytes = bytesOf(message)
  if (bytes !== undefined) report({ direction, kind: frameKind(bytes), bytes: bytes.byteLength })
}
