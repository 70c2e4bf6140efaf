/** Requests on connections of their own, over HTTP/1.1 and HTTP/2. They hide nothing of what came over the wire. */
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { connect as connectHttp2, constants, type IncomingHttpHeaders } from 'node:http2'
import { request as requestWithTls } from 'node:https'
import { PassThrough } from 'node:stream'

/** The head of an answer, and its body. */
export interface Message extends AsyncIterable<Buffer> {
  readonly status: number
  /** Names and values by turns, in the order of the wire. */
  readonly rawHeaders: readonly string[]
}

export interface Outgoing {
  /** Rejects when the connection is cut before the head has come. */
  readonly message: Promise<Message>
  write(part: string, written: () => void): void
  end(payload: string | Uint8Array | undefined): void
  /** Leaves: closes the connection, or the stream. */
  destroy(): void
  /** Leaves, and resets the connection, or the stream: the server sees an error. */
  reset(): void
}

/** A server on 127.0.0.1. */
export interface Server {
  readonly port: number
  /** `h2c`: HTTP/2 without TLS. `h2` and `https`: HTTP/2 and HTTP/1.1 with TLS, and any certificate. @default 'http' */
  readonly protocol?: 'http' | 'https' | 'h2c' | 'h2'
}

/** Begins a request to a server of this protocol. */
export function begin(
  { port, protocol = 'http' }: Server,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders,
): Outgoing {
  const isHttp2 = protocol === 'h2' || protocol === 'h2c'
  const outgoing = (isHttp2 ? overHttp2 : overHttp1)({ port, protocol }, method, path, headers)
  // a client that leaves does not look at it
  outgoing.message.catch(() => undefined)
  return outgoing
}

function overHttp2({ port, protocol }: Server, method: string, path: string, headers: OutgoingHttpHeaders): Outgoing {
  const session = connectHttp2(`${protocol === 'h2' ? 'https' : 'http'}://127.0.0.1:${port}`, {
    // its certificate is made for the tests
    rejectUnauthorized: false,
  })
  // the stream tells the error too
  session.on('error', () => {})
  const stream = session.request({ ':method': method, ':path': path, ...fieldsOf(headers) }, { endStream: false })
  // from Node 24 on, a stream that is read only after it has closed looks cut
  const parts = stream.pipe(new PassThrough())
  stream.on('error', (error) => parts.destroy(error))
  // the reader of the parts gets this error too
  parts.on('error', () => {})
  stream.on('close', () => {
    parts.end()
    session.close()
  })
  const message = new Promise<Message>((resolve, reject) => {
    stream.on('error', reject).on('close', () => reject(new Error('The stream was closed before the head had come.')))
    stream.on('response', (fields: IncomingHttpHeaders, _flags: number, raw: string[]) =>
      resolve({
        status: Number(fields[':status']),
        rawHeaders: raw.slice(2),
        async *[Symbol.asyncIterator]() {
          yield* parts as AsyncIterable<Buffer>
          if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`The stream was reset: ${stream.rstCode}`)
        },
      }),
    )
  })
  return {
    message,
    write: (part, written) => void stream.write(part, () => written()),
    end: (payload) => void stream.end(payload),
    destroy: () => stream.close(constants.NGHTTP2_CANCEL),
    reset: () => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
  }
}

function overHttp1({ port, protocol }: Server, method: string, path: string, headers: OutgoingHttpHeaders): Outgoing {
  const options = { host: '127.0.0.1', port, method, path, agent: false, headers, rejectUnauthorized: false } as const
  const sent = protocol === 'https' ? requestWithTls(options) : request(options)
  const message = new Promise<IncomingMessage>((resolve, reject) => sent.on('response', resolve).on('error', reject))
  return {
    message: message.then((received) => ({
      status: received.statusCode ?? 0,
      rawHeaders: received.rawHeaders,
      [Symbol.asyncIterator]: () => received[Symbol.asyncIterator](),
    })),
    write: (part, written) => void sent.write(part, () => written()),
    end: (payload) => void sent.end(payload),
    destroy: () => void sent.destroy(),
    // Node resets no connection with TLS
    reset: () => void (protocol === 'https' ? sent.destroy() : sent.socket?.resetAndDestroy()),
  }
}

/** HTTP/2 has names in lower case, and no header that frames a body in pieces. */
function fieldsOf(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  return Object.fromEntries(fields.filter(([name]) => name !== 'transfer-encoding'))
}
