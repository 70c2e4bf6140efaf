/** Claims and changes of tests whose leases never expire. */
import type { Change, Claim } from '@retryproof/core/store'

export const HOUR_MS = 3_600_000

/** Returns bytes that equal those of a store, which a Buffer does not. */
export function bytes(content: string | readonly number[]): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content)
}

/** Returns a claim of one hour, with these members in place of its own. */
export function claim(changes: Partial<Claim> = {}): Claim {
  return { owner: 'one', fingerprint: 'f', leaseMs: HOUR_MS, retentionMs: HOUR_MS, ...changes }
}

/** Returns the change that settles with this result, for one hour. */
export function completed(result: string): Change {
  return { to: 'completed', result: bytes(result), retentionMs: HOUR_MS }
}
