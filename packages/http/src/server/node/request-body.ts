/** The body of a Node request, whether or not a parser ran before. */
import type { IncomingMessage } from 'node:http'
import type { RequestBody } from '../../protocol/exchange.ts'

const none = new Uint8Array()
const readBefore = new WeakMap<IncomingMessage, Uint8Array>()

/** @param parsed what a parser left: `request.body`, as Express calls it */
export function requestBody(req: IncomingMessage, parsed: unknown): RequestBody {
  if (!hasBody(req)) return { body: none }
  const read = readBefore.get(req)
  if (read) return { body: read }
  if (!req.readableDidRead) return { body: undefined, read: (maxBytes) => readAndPutBack(req, maxBytes) }
  return { body: undefined, parsed }
}

/** Whether a body that was read and put back went away with its connection before anybody else had it. */
export function isBodyLost(req: IncomingMessage): boolean {
  return readBefore.has(req) && req.destroyed && !req.readableEnded
}

/** What a handler fails with whose body is lost: no refusal to remember, since nobody has looked at what was asked. */
export function lostBody(): Error {
  return new Error(
    'The client went away before its body was parsed. Put the parser before idempotent() to have it first.',
  )
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * All of a body that nobody has read yet; it stays readable for whoever comes after. Null when it is larger.
 *
 * @throws when the client goes away before its end
 */
async function readAndPutBack(req: IncomingMessage, maxBytes: number): Promise<Uint8Array | null> {
  const declared = Number(req.headers['content-length'] ?? 0)
  if (declared > maxBytes) return null
  const chunks: Uint8Array[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    const onReadable = () => {
      for (let chunk: Buffer | null = req.read(); chunk !== null; chunk = req.read()) {
        chunks.push(chunk)
        size += chunk.length
        if (size > maxBytes) return done(() => resolve(null))
      }
      if (!req.complete) return
      const body = Buffer.concat(chunks)
      // before the end is announced, so that the next reader finds the stream as if nobody had been there
      if (size > 0) req.unshift(body)
      readBefore.set(req, body)
      done(() => resolve(body))
    }
    const onClose = () => done(() => reject(new Error('The client went away before it had sent the whole body.')))
    const done = (act: () => void) => {
      req.off('readable', onReadable).off('close', onClose).off('error', onClose)
      act()
    }
    req.on('readable', onReadable).on('close', onClose).on('error', onClose)
  })
}
