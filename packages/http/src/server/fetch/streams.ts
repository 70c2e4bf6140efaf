/** Streams of Fetch, on runtimes whose streams cannot be iterated too. */

const ended = { done: true, value: undefined } as const

/** What a stream gives, on runtimes whose streams cannot be iterated too. */
export function piecesOf(body: ReadableStream<Uint8Array> | null): AsyncIterator<Uint8Array, undefined> {
  const reader = body?.getReader()
  return {
    async next() {
      const { done, value } = (await reader?.read()) ?? ended
      return done ? ended : { done, value }
    },
    async return() {
      await reader?.cancel()
      return ended
    },
  }
}

/** A stream of what an iterator gives. Whoever cancels it ends the iterator. */
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
