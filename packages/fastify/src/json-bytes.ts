/** JSON bodies as they were sent: once parsed, large integers and members that occur twice are not told apart any more. */
import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'

/** Notes the bytes of JSON bodies of at most `maxBytes`, while whoever parses them reads. */
export function noteJson(maxBytes: number) {
  const bodies = new WeakMap<FastifyRequest, { chunks: Uint8Array[]; size: number }>()

  return {
    note(request: FastifyRequest, payload: Readable): void {
      if (!/[/+]json\b/i.test(request.headers['content-type'] ?? '')) return
      const body = { chunks: [] as Uint8Array[], size: 0 }
      bodies.set(request, body)

      function onData(chunk: Uint8Array): void {
        body.size += chunk.length
        if (body.size <= maxBytes) body.chunks.push(chunk)
        else body.chunks = []
      }

      // together with the first who reads, since a stream that somebody listens to begins to flow
      function onListener(event: string): void {
        if (event !== 'data') return
        payload.off('newListener', onListener)
        payload.on('data', onData)
      }

      payload.on('newListener', onListener)
    },

    /** The bytes, if somebody has read all of them. */
    bytesOf(request: FastifyRequest): Uint8Array | undefined {
      const body = bodies.get(request)
      return body && body.size > 0 && body.size <= maxBytes ? Buffer.concat(body.chunks) : undefined
    },
  }
}
