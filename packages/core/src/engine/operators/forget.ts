/** Forgets records, whatever their state. */

import type { Reference, Scope } from '../../api/call.ts'
import type { StoredKey } from '../../api/operators.ts'
import { isIdempotencyError, StoreUnavailableError } from '../../errors.ts'
import type { Instance } from '../context/instance.ts'
import { keyOf, list, tokenOf } from './inspect.ts'

/** Outlasts the late messages of an attempt that ran when its key was forgotten. */
const TOMBSTONE_MS = 60_000

const MAX_TRIES = 5

/** Deletes a record. Returns false if there was none, or none of that token. A running attempt loses its lease. */
export async function forget(instance: Instance, reference: Reference | StoredKey): Promise<boolean> {
  const key = keyOf(instance, reference)
  const seen = tokenOf(reference)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const record = await instance.calls.get(key)
    if (!record || (seen ?? record.token) !== record.token) return false
    const change = { to: 'forgotten', tombstoneMs: TOMBSTONE_MS } as const
    const reply = await instance.calls.transition(key, record.token, change)
    if (reply.outcome === 'ok') return true
  }
  throw new StoreUnavailableError(
    `Could not forget the key: other calls acquired it during each of ${MAX_TRIES} tries. Try again.`,
    { applied: 'no' },
  )
}

/**
 * Deletes every record of a scope. Returns their number.
 *
 * @throws {@link StoreUnavailableError} when the store fails. Its message says how many records were deleted before
 */
export async function eraseScope(instance: Instance, scope: Scope): Promise<number> {
  let erased = 0
  try {
    for await (const { key } of list(instance, { scope })) if (await forget(instance, { key })) erased++
    return erased
  } catch (error) {
    if (erased === 0 || !isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')) throw error
    const message = `Erased ${erased} records, and then failed. Erase the scope again for the others. ${error.message}`
    throw new StoreUnavailableError(message, { applied: error.applied, cause: error })
  }
}
