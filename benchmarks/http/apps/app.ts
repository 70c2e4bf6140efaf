import type { Server } from 'node:http'
import type { Idempotency } from '@retryproof/core'

/**
 * `bare`: no guard. `floor`: a Map, a digest of the body and the answer where the framework has it, written by hand: no
 * lease, no scope, no durability, no streams, nothing for clients that leave. `peer`: the best that npm carries.
 */
export type Variant =
  | { readonly kind: 'bare' | 'floor' | 'peer' }
  | { readonly kind: 'ours'; readonly idempotency: Idempotency }

/** One framework's app with `POST /charges`. */
export interface App {
  listen(variant: Variant): Promise<Server>
}

/** Listens on a free port. */
export function listening(listen: (port: number, host: string, done: () => void) => Server): Promise<Server> {
  return new Promise((resolve) => {
    const server = listen(0, '127.0.0.1', () => resolve(server))
  })
}
