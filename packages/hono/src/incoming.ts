/** The request of Node under a request of @hono/node-server. */
import type { IncomingMessage } from 'node:http'
import type { Context } from 'hono'

/** `rawBody`: bytes that @hono/node-server reads in place of the stream, where a platform has read it before. */
export type Incoming = Omit<IncomingMessage, 'rawBody'> & { rawBody?: Uint8Array }

/** `undefined` on other runtimes, and for `app.request()`. */
export function incomingOf({ env }: Context): Incoming | undefined {
  const incoming = (env as { incoming?: Partial<Incoming> } | undefined)?.incoming
  return Array.isArray(incoming?.rawHeaders) && typeof incoming.on === 'function' ? (incoming as Incoming) : undefined
}

/**
 * Tells whether `raw` is the request that the server made of `incoming`, and no reader has begun with its body. Else its
 * body may be in a request of Fetch that was made meanwhile: by the server, which keeps it in `raw`, or by a middleware.
 */
export function isUntouched(incoming: Incoming, raw: Request): boolean {
  if (incoming.rawBody || incoming.readableDidRead || incoming.listenerCount('data') > 0) return false
  let isKept = false
  for (const symbol of Object.getOwnPropertySymbols(raw)) {
    const value: unknown = Reflect.get(raw, symbol)
    if (value === incoming) isKept = true
    else if (typeof value === 'object' && value instanceof Request) return false
  }
  return isKept
}

/**
 * Reads the whole body, and leaves it in `rawBody`, so that `c.req.raw` is as readable as before. Null when it is larger.
 *
 * @throws when the client goes away before its end
 */
export function readIncoming(incoming: Incoming, maxBytes: number): Promise<Uint8Array | null> {
  const chunks: Buffer[] = []
  let size = 0
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer | string) => {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk, incoming.readableEncoding ?? 'utf8') : chunk
      chunks.push(bytes)
      size += bytes.length
      if (size <= maxBytes) return
      incoming.pause()
      finish(() => resolve(null))
    }
    const onEnd = () => {
      const [only] = chunks
      incoming.rawBody = only && chunks.length === 1 ? only : Buffer.concat(chunks)
      finish(() => resolve(incoming.rawBody ?? null))
    }
    const onGone = () =>
      finish(() =>
        reject(new Error('The client went away before it had sent the whole body.', { cause: incoming.errored })),
      )
    const finish = (act: () => void) => {
      incoming.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone)
      act()
    }
    incoming.on('end', onEnd).on('close', onGone).on('error', onGone).on('data', onData)
  })
}
