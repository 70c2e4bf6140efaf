/** Forgets a record in any state. */

import type { Reference } from '../../api/call.ts'
import { StoreUnavailableError } from '../../errors.ts'
import { storageKey } from '../../keys/storage-key.ts'
import type { Instance } from '../context/instance.ts'

/** Long enough for the late messages of an attempt that ran when its key was forgotten. */
const TOMBSTONE_MS = 60_000

const MAX_TRIES = 5

/** Deletes the record of a key. Returns false where there was none. An attempt that runs loses its lease. */
export async function forget(instance: Instance, reference: Reference): Promise<boolean> {
  const key = await storageKey(instance.digest, instance.namespace, reference)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const record = await instance.calls.get(key)
    if (!record) return false
    const change = { to: 'forgotten', tombstoneMs: TOMBSTONE_MS } as const
    const reply = await instance.calls.transition(key, record.token, change)
    if (reply.outcome === 'ok') return true
  }
  throw new StoreUnavailableError(
    `Could not forget the key: other calls acquired it during each of ${MAX_TRIES} tries. Retry.`,
    { applied: 'no' },
  )
}
