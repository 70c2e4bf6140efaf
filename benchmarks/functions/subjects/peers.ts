import { Idempotency } from '@node-idempotency/core'
import type { Opened } from '../subject.ts'

type Storage = ConstructorParameters<typeof Idempotency>[0]

/** `@node-idempotency/core`: neither lease nor fencing; a key in progress is held for its whole retention. */
export function nodeIdempotency(storage: Storage, close?: () => Promise<void>): Opened {
  const idempotency = new Idempotency(storage)
  return {
    async run(key, payload, work) {
      const request = { method: 'POST', path: '/charges', headers: { 'idempotency-key': key }, body: { ...payload } }
      const known = await idempotency.onRequest(request)
      if (known) return known.body as Awaited<ReturnType<typeof work>>
      const body = await work()
      await idempotency.onResponse(request, { body: { ...body }, additional: {} })
      return body
    },
    ...(close && { close }),
  }
}
