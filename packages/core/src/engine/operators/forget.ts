/** Forgets records, whatever their state. */

import type { Reference, Scope } from '../../api/call.ts'
import type { StoredKey } from '../../api/operators.ts'
import { StoreUnavailableError } from '../../errors.ts'
import type { Instance } from '../context/instance.ts'
import { keyOf, list } from './inspect.ts'

/** Outlasts the late messages of an attempt that ran when its key was forgotten. */
const TOMBSTONE_MS = 60_000

const MAX_TRIES = 5

/** Deletes a record. Returns false if there was none. A running attempt loses its lease. */
export async function forget(instance: Instance, reference: Reference | StoredKey): Promise<boolean> {
  const key = keyOf(instance, reference)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const record = await instance.calls.get(key)
    if (!record) return false
    const change = { to: 'forgotten', tombstoneMs: TOMBSTONE_MS } as const
    const reply = await instance.calls.transition(key, record.token, change)
    if (reply.outcome === 'ok') return true
  }
  throw new StoreUnavailableError(
    `Could not forget the key: other calls acquired it during each of ${MAX_TRIES} tries. Try again.`,
    { applied: 'no' },
  )
}

/** Deletes every record of a scope. Returns their number. */
export async function eraseScope(instance: Instance, scope: Scope): Promise<number> {
  let erased = 0
  for await (const record of list(instance, { scope })) {
    if (await forget(instance, record)) erased++
  }
  return erased
}
