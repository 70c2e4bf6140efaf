import { createIdempotency, type IdempotencyStore } from '@retryproof/core'
import type { Opened } from '../subject.ts'

/** Ours over any store, with the defaults that a user gets. */
export function over<Tx>(store: IdempotencyStore<Tx>, close?: () => Promise<void>): Opened {
  const charge = createIdempotency({ store, namespace: 'bench' }).operation('charge')
  return {
    run: async (key, payload, work) => (await charge.run({ scope: 'user_42', key, payload }, work)).value,
    ...(close && { close }),
  }
}
