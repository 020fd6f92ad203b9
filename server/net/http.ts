/** HTTP requests as plain `ApiRequest`s: collects the body within its limit, writes the answer, survives an abort. */
import type uWS from 'uWebSockets.js'
import { TuttiError } from '../../lib/errors.ts'
import type { ApiRequest, ApiResponse } from '../contracts.ts'
import { HttpRequest } from './httpRequest.ts'
import type { Streams } from './streams.ts'

export interface HttpDoorParts {
  readonly maxBodyBytes: number
  /** Answers under way that are written as they come; as many at most as there may be WebSockets. */
  readonly streams: Streams
  readonly maxStreams: number
  /** Answers a request, at once if nothing makes it wait; never throws or rejects. */
  answer(request: ApiRequest): ApiResponse | Promise<ApiResponse>
  /** The answer that says an error to a request to this raw path. */
  errorAnswer(error: TuttiError, path: string): ApiResponse
  /** Whether the headers of requests to this raw path are read at all: to keep them costs more than many an answer. */
  readsHeaders(path: string): boolean
}

type Handle = (res: uWS.HttpResponse, req: uWS.HttpRequest) => void

export const httpDoor = (parts: HttpDoorParts): Handle => {
  const { maxBodyBytes, streams, maxStreams, answer, errorAnswer, readsHeaders } = parts
  const writeHead = (res: uWS.HttpResponse, { status, headers }: ApiResponse): void => {
    res.writeStatus(`${status} ${STATUS_TEXTS[status] ?? 'Status'}`)
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value)
  }

  const write = (res: uWS.HttpResponse, method: string, response: ApiResponse): void => {
    res.cork(() => {
      writeHead(res, response)
      const isBodyless = BODYLESS.has(response.status)
      // Not as the argument of `endWithoutBody`: that leaves the connection in a state in which uWebSockets.js (20.51 to
      // 20.69) closes it at the next request.
      if (method === 'HEAD' && !isBodyless) res.writeHeader('content-length', `${byteLength(response.body)}`)
      if (method === 'HEAD' || isBodyless) res.endWithoutBody()
      else res.end(response.body)
    })
  }

  return (res, req) => {
    const request = new HttpRequest(req, res, readsHeaders)
    const { method } = request
    let streamAborted: (() => void) | undefined
    res.onAborted(() => {
      request.end()
      streamAborted?.()
    })
    const respond = (response: ApiResponse): void => {
      if (request.isOver) return
      request.end()
      if (!response.stream || method === 'HEAD') write(res, method, response)
      else if (streams.count >= maxStreams) write(res, method, errorAnswer(tooManyStreams(maxStreams), request.path))
      else {
        const { stream } = response
        res.cork(() => {
          writeHead(res, response)
          streamAborted = streams.open(res, stream)
        })
      }
    }

    const chunks: Buffer[] = []
    let size = 0
    let isRefused = false
    const refuse = (): void => {
      isRefused = true
      const error = new TuttiError('TOO_LARGE', `The body is larger than ${maxBodyBytes} bytes.`, {
        hint: 'Send it in parts, or raise maxBodyBytes on the server.',
      })
      respond(errorAnswer(error, request.path))
    }
    if (request.isAmbiguous) {
      request.end()
      // Without an answer, behind which uWebSockets.js would carry out what came in the same packet: where the next
      // request begins depends on which of the two lengths one believes.
      res.close()
      return
    }
    // What is announced too large need not come first.
    if (Number(req.getHeader('content-length')) > maxBodyBytes) {
      refuse()
      return
    }
    res.onData((chunk, isLast) => {
      if (isRefused) return
      size += chunk.byteLength
      if (size > maxBodyBytes) {
        refuse()
        return
      }
      // A copy: uWebSockets.js takes its buffer back after this callback. A small one comes out of Node's pool.
      chunks.push(Buffer.from(new Uint8Array(chunk)))
      if (!isLast) return
      request.body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      const answered = answer(request)
      if (answered instanceof Promise) answered.then(respond)
      else respond(answered)
    })
  }
}

const tooManyStreams = (limit: number): TuttiError =>
  new TuttiError('TRY_LATER', `The server has its ${limit} streams.`, { hint: 'Try again in a moment.' })

const byteLength = (body: Uint8Array | string): number =>
  typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength

/** Statuses that must not have a body (RFC 9110). */
const BODYLESS = new Set([204, 304])

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}
