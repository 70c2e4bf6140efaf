/** Maps errors of Redis and its client to errors of the store port. */
import type { IdempotencyError } from '@retryproof/core'
import { isIdempotencyError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core/store'

/** What Redis refuses before anything has changed. */
export const refusals: Record<string, string> = {
  OOM: 'It is full: raise maxmemory, or keep records for a shorter time.',
  NOREPLICAS: 'Too few replicas follow it (min-replicas-to-write).',
  READONLY: 'It is a replica: connect to the primary, by Sentinels or as a Cluster.',
  MISCONF: 'It cannot write to its disk.',
  LOADING: '',
  MASTERDOWN: '',
  CLUSTERDOWN: '',
  TRYAGAIN: '',
  BUSY: '',
}

const misuses: Record<string, string> = {
  WRONGTYPE: 'Something else than a record has its name: give the store a prefix of its own.',
  NOAUTH: 'Give the client a password.',
  WRONGPASS: 'Give the client the right user and password.',
  NOPERM: 'Its user needs evalsha, eval, time, hget, hmget, hset, hdel and pexpireat on the keys with the prefix.',
}

/** Every error of the driver. What a reply refuses stands in its first word. */
export function toStoreError(cause: unknown, resends: boolean): IdempotencyError {
  if (isIdempotencyError(cause, 'IDEMPOTENCY_STORE_UNAVAILABLE', 'IDEMPOTENCY_STORE_MISCONFIGURED')) return cause
  const said = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '')
  const code = /^[A-Z]+\b/.exec(said)?.[0] ?? ''
  const misuse = /subscriber mode|monitoring mode/.test(said) ? 'Give the store a client of its own.' : misuses[code]
  if (misuse) return new StoreMisconfiguredError(`Redis: ${said}. ${misuse}`, { cause })
  const refused = code in refusals || said.includes('enableOfflineQueue') // the latter was never sent
  const message = `Redis: ${said}. ${refusals[code] ?? ''}`.trimEnd()
  return new StoreUnavailableError(message, { applied: refused && !resends ? 'no' : 'unknown', cause })
}
