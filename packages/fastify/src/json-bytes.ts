/** Keeps JSON bodies as they were sent: once parsed, large integers and members that occur twice look like others. */
import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { notesOn } from './notes.ts'

/** Notes the bytes of JSON bodies of at most `maxBytes`, while their parser reads. */
export function noteJson(maxBytes: number) {
  const bodies = notesOn<{ chunks: Uint8Array[]; size: number }>('body')

  return {
    note(request: FastifyRequest, payload: Readable): void {
      if (!/[/+]json\b/i.test(request.headers['content-type'] ?? '')) return
      const body = { chunks: [] as Uint8Array[], size: 0 }
      bodies.set(request, body)

      // texts, where a parser or a hook set an encoding: Fastify before 5.12.5 does itself
      function onData(chunk: Uint8Array | string): void {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk, payload.readableEncoding ?? 'utf8') : chunk
        body.size += bytes.length
        if (body.size <= maxBytes) body.chunks.push(bytes)
        else body.chunks = []
      }

      // together with the first reader, since a stream that somebody listens to begins to flow
      function onListener(event: string): void {
        if (event !== 'data') return
        payload.off('newListener', onListener)
        payload.on('data', onData)
      }

      payload.on('newListener', onListener)
    },

    /** Gives the bytes, if a parser has read all of them. */
    bytesOf(request: FastifyRequest): Uint8Array | undefined {
      const body = bodies.get(request)
      if (!body || body.size === 0 || body.size > maxBytes) return undefined
      const [only] = body.chunks
      return body.chunks.length === 1 ? only : Buffer.concat(body.chunks)
    },
  }
}
