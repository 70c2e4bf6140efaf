/** `@node-idempotency/core`, as its own bindings call it: npm carries one for NestJS only. */
import { Idempotency } from '@node-idempotency/core'
import { MemoryStorageAdapter } from '@node-idempotency/storage-adapter-memory'

type Asked = Parameters<Idempotency['onRequest']>[0]

export interface PeerAnswer {
  readonly status: number
  readonly body: unknown
}

export interface Peer {
  onRequest(request: Asked): Promise<PeerAnswer | undefined>
  onResponse(request: Asked, answer: PeerAnswer): Promise<void>
}

export function nodeIdempotency(): Peer {
  const idempotency = new Idempotency(new MemoryStorageAdapter())
  return {
    async onRequest(request) {
      const known = await idempotency.onRequest(request)
      return known && { status: Number(known.additional?.status), body: known.body }
    },
    onResponse: (request, { status, body }) => idempotency.onResponse(request, { body, additional: { status } }),
  }
}
