import type { Server } from 'node:http'
import type { Idempotency } from '@retryproof/core'

/**
 * `bare`: no guard. `floor`: a Map, a digest of the body and a wrapped `end`, written by hand: no lease, no scope, no
 * durability, no streams, nothing for clients that leave.
 */
export type Variant =
  | { readonly kind: 'bare' | 'floor' }
  | { readonly kind: 'guarded'; readonly idempotency: Idempotency }

/** One framework's app with `POST /charges`. */
export interface App {
  listen(variant: Variant): Promise<Server>
}
