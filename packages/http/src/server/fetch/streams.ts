/** Streams of Fetch, on runtimes whose streams cannot be iterated, and of other realms. */

const ended = { done: true, value: undefined } as const
const utf8 = new TextEncoder()

/** Iterates over the chunks of a body: a stream of Fetch, or anything else that can be iterated, such as a Node stream. */
export function piecesOf(body: ReadableStream<unknown> | null | undefined): AsyncIterator<Uint8Array, undefined> {
  const source = body ? sourceOf(body) : undefined
  return {
    async next() {
      const { done, value } = (await source?.next()) ?? ended
      return done ? ended : { done: false, value: toBytes(value) }
    },
    async return() {
      await source?.return?.()
      return ended
    },
  }
}

function sourceOf(body: ReadableStream<unknown>): AsyncIterator<unknown> {
  if (typeof body.getReader !== 'function') return (body as unknown as AsyncIterable<unknown>)[Symbol.asyncIterator]()
  const reader = body.getReader()
  return {
    async next() {
      const { done, value } = await reader.read()
      return done ? ended : { done, value }
    },
    async return() {
      await reader.cancel()
      return ended
    },
  }
}

/** @throws TypeError for a chunk that no server could send */
function toBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk
  if (typeof chunk === 'string') return utf8.encode(chunk)
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  throw new TypeError('A chunk of the body is neither bytes nor a text.')
}

/** A stream of the chunks that an iterator gives. Cancelling it ends the iterator. */
export function streamOf(pieces: AsyncIterator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: () => void pieces.return?.(),
    },
    { highWaterMark: 0 },
  )
}
