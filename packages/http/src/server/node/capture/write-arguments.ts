/** Reads the arguments of `write`, `end` and `writeHead` as Node does. */
import { IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { restoreHeaders } from '../headers.ts'

export type Callback = (error?: Error | null) => void

/** Chunks that may be written; Node throws for anything else. */
export function isChunk(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array
}

/** The bytes of a chunk; whoever may use its buffer again before they have left has to copy them. */
export function toBytes(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}

/** The arguments after a chunk: perhaps an encoding, perhaps a callback. */
export function readWriteArguments([first, second]: readonly unknown[]): {
  readonly encoding: BufferEncoding | undefined
  readonly callback: Callback | undefined
} {
  const callback = typeof first === 'function' ? first : second
  return {
    encoding: typeof first === 'string' ? (first as BufferEncoding) : undefined,
    callback: typeof callback === 'function' ? (callback as Callback) : undefined,
  }
}

type HeadersArgument = OutgoingHttpHeaders | readonly (OutgoingHttpHeader | OutgoingHttpHeader[])[] | undefined

/** The arguments after a status: perhaps a message, perhaps headers. */
export function readHeadArguments([first, second]: readonly unknown[]): {
  readonly message: string | undefined
  readonly headers: HeadersArgument
} {
  if (typeof first !== 'string')
    return { message: undefined, headers: (second ?? first ?? undefined) as HeadersArgument }
  return { message: first, headers: (second ?? undefined) as HeadersArgument }
}

/** Sets headers as `writeHead` does: from an object, or from a list in which a name may occur several times. */
export function applyHeaders(res: ServerResponse, headers: HeadersArgument): void {
  if (!isList(headers)) {
    const isFirst = res.getHeaderNames().length === 0
    try {
      for (const [name, value] of Object.entries(headers ?? {})) res.setHeader(name, value as OutgoingHttpHeader)
    } catch (error) {
      // one that is refused leaves the others behind only where headers were set before
      if (isFirst) restoreHeaders(res, {})
      throw error
    }
    return
  }
  const fields = headers.flat().map(String)
  const names = fields.filter((_, index) => index % 2 === 0)
  const isReplaced =
    replacesListed && res.req.httpVersionMajor < 2 && !Array.isArray(headers[0]) && res.getHeaderNames().length > 0
  if (!isReplaced) for (const name of names) res.removeHeader(name)
  for (const [index, name] of names.entries()) {
    const value = fields[2 * index + 1] ?? ''
    if (isReplaced) res.setHeader(name, value)
    else res.appendHeader(name, value)
  }
}

/** Tells whether this version of Node keeps only the last of the values that a list gives a name, where headers were set before. */
const replacesListed = (() => {
  const probe = new ServerResponse(new IncomingMessage(new Socket()))
  probe.setHeader('a', '0').writeHead(200, ['a', '1', 'a', '2'])
  return probe.getHeader('a') === '2'
})()

function isList(headers: HeadersArgument): headers is Extract<HeadersArgument, readonly unknown[]> {
  return Array.isArray(headers)
}

const statusMessage = /^[\t\x20-\x7e\x80-\xff]*$/

/** Node throws for any other. */
export function isValidHead(status: number, message: string | undefined): boolean {
  return Number.isInteger(status) && status >= 100 && status <= 999 && statusMessage.test(message ?? '')
}

export function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks
  return chunks.length === 1 && only ? only : Buffer.concat(chunks)
}
