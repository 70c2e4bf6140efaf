/** Counts the round trips that each operation of a store costs. */
import type { IdempotencyStore } from '@retryproof/core/store'
import { bytes, claim, completed, HOUR_MS } from './records.ts'

/** Runs each operation once, on a store whose one connection is open and passes through `proxy`. */
export async function countRoundTrips(
  store: Pick<Required<IdempotencyStore>, 'begin' | 'transition' | 'get' | 'purge'>,
  proxy: { readonly roundTrips: number },
): Promise<Record<string, number>> {
  const trips: Record<string, number> = {}
  async function count<T>(name: string, call: () => Promise<T>): Promise<T> {
    const before = proxy.roundTrips
    const value = await call()
    trips[name] = proxy.roundTrips - before
    return value
  }
  const renew = { to: 'renew', leaseMs: HOUR_MS } as const
  const release = { to: 'released', delayMs: 0, retentionMs: HOUR_MS } as const
  const checkpoint = { seq: 1, data: bytes('c') }
  const gone = claim({ leaseMs: 0, retentionMs: 0 })

  const { token } = await count('fresh', () => store.begin('k', claim()))
  await count('repeated begin', () => store.begin('k', claim()))
  await count('conflict', () => store.begin('k', claim({ owner: 'two' })))
  await count('mismatch', () => store.begin('k', claim({ fingerprint: 'g' })))
  await count('renew', () => store.transition('k', token, renew))
  await count('checkpoint', () => store.transition('k', token, { ...renew, checkpoint }))
  await count('settle', () => store.transition('k', token, completed('x')))
  await count('repeated settle', () => store.transition('k', token, completed('x')))
  await count('stale transition', () => store.transition('k', token - 1, completed('y')))
  await count('replay', () => store.begin('k', claim({ owner: 'two' })))
  await count('get', () => store.get('k'))
  await count('forget', () => store.transition('k', token, { to: 'forgotten', tombstoneMs: HOUR_MS }))
  const again = await count('begin after a forget', () => store.begin('k', claim()))
  await count('park', () => store.transition('k', again.token, { to: 'parked', retentionMs: HOUR_MS }))
  await count('release', () => store.transition('k', again.token, release))
  await count('next attempt', () => store.begin('k', claim({ leaseMs: 0 })))
  await count('takeover', () => store.begin('k', claim({ owner: 'two' })))
  await store.begin('gone', gone)
  await count('begin after expiry', () => store.begin('gone', gone))
  await count('purge', () => store.purge({ limit: 10, graceMs: 0 }))
  return trips
}
