import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StoreMisconfiguredError, StoreUnavailableError } from '../src/errors.ts'
import { decodeRecord, encodeRecord } from '../src/store/cas/cas-record.ts'
import { type CasStorage, createCasStore } from '../src/store/cas/cas-store.ts'
import type { StoredRecord } from '../src/store/reduce.ts'
import type { Claim, ListQuery } from '../src/store/store.ts'
import { casMap } from './cas-map.ts'

const claim = (owner: string, more: Partial<Claim> = {}): Claim => ({
  owner,
  fingerprint: 'f',
  leaseMs: 1000,
  retentionMs: 1000,
  ...more,
})
const bytes = (...values: number[]) => new Uint8Array(values)

const anyBytes = fc.option(fc.uint8Array())
const anyTime = fc.integer({ min: 0, max: 2 ** 52 })
const anyText = fc.string({ unit: 'binary' })
const anyRecord: fc.Arbitrary<StoredRecord> = fc.record({
  state: fc.constantFrom('in_progress', 'released', 'parked', 'completed', 'failed', 'tombstone'),
  token: anyTime,
  owner: anyText,
  fingerprint: anyText,
  attempt: fc.nat(),
  interrupted: fc.boolean(),
  leaseUntil: anyTime,
  expiresAt: anyTime,
  request: anyBytes,
  checkpoint: fc.option(fc.record({ seq: fc.nat(), data: fc.uint8Array() })),
  result: anyBytes,
})

test('a record comes back from its bytes as it went in, and shares none of them', () => {
  fc.assert(
    fc.property(anyRecord, anyTime, (record, at) => {
      const encoded = encodeRecord({ at, record })
      const decoded = decodeRecord('k', encoded)
      encoded.fill(0)
      expect(decoded).toEqual({ at, record })
    }),
  )
})

test('what surrounds the values is small', () => {
  const record: StoredRecord = {
    state: 'completed',
    token: 1_790_000_000_000_000,
    owner: 'o'.repeat(32),
    fingerprint: 'f'.repeat(64),
    attempt: 1,
    interrupted: false,
    leaseUntil: 1_790_000_000_000_000,
    expiresAt: 1_790_000_000_000_000,
    request: null,
    checkpoint: null,
    result: new Uint8Array(1024),
  }
  expect(encodeRecord({ at: 1_790_000_000_000_000, record }).length).toBeLessThan(1024 + 240)
})

test.each([
  ['text of another program', new TextEncoder().encode('{"a":1}\n'), /no record/],
  ['no line', bytes(1, 2, 3), /no record/],
  ['a header and nothing of what it says', new TextEncoder().encode('[1]\n'), /no record/],
  ['nothing', bytes(), /no record/],
  ['a later version', new TextEncoder().encode('[2]\n'), /version 2/],
])('an entry that is no record of this version is refused: %s', async (_, value, message) => {
  const { entries, storage } = casMap()
  entries.set('k', { value, revision: 1 })
  const begun = createCasStore(storage).begin('k', claim('a'))
  await expect(begun).rejects.toThrow(StoreMisconfiguredError)
  await expect(begun).rejects.toThrow(message)
  expect(entries.get('k')?.value).toBe(value)
})

test('a value of a record that was cut short is refused', () => {
  fc.assert(
    fc.property(anyRecord, fc.nat(), (record, cut) => {
      const encoded = encodeRecord({ at: 1, record })
      expect(() => decodeRecord('k', encoded.subarray(0, cut % encoded.length))).toThrow(StoreMisconfiguredError)
    }),
  )
})

test('a call that changes something costs a read and a swap, any other a read', async () => {
  const { storage, trips } = casMap()
  const store = createCasStore(storage)
  const trip = async (call: Promise<unknown>) => {
    await call
    return trips.splice(0)
  }
  const first = store.begin('k', claim('a'))
  expect(await trip(first)).toEqual(['read', 'swap'])
  const { token } = await first
  expect(await trip(store.begin('k', claim('b')))).toEqual(['read'])
  const settle = () => store.transition('k', token, { to: 'completed', result: bytes(1), retentionMs: 9000 })
  expect(await trip(settle())).toEqual(['read', 'swap'])
  expect(await trip(settle())).toEqual(['read'])
  expect(await trip(store.begin('k', claim('b')))).toEqual(['read'])
  expect(await trip(store.get('k'))).toEqual(['read'])
})

test('the clock is read before an entry, and once more where there is none', async () => {
  const { storage } = casMap()
  const calls: string[] = []
  const store = createCasStore({
    ...storage,
    now: () => calls.push('now'),
    read: (key) => {
      calls.push('read')
      return storage.read(key)
    },
  })
  await store.begin('k', claim('a'))
  expect(calls.splice(0)).toEqual(['now', 'read', 'now'])
  await store.get('k')
  expect(calls).toEqual(['now', 'read'])
})

test('a purge between the clock and the read of a begin gives no token twice', async () => {
  const { storage } = casMap()
  let clock = 1000
  const store = createCasStore({ ...storage, now: () => clock })
  const first = await store.begin('k', claim('a', { leaseMs: 0, retentionMs: 0 }))
  const late = createCasStore({
    ...storage,
    now: () => clock,
    async read(key) {
      clock++
      expect(await store.purge?.({ limit: 1, graceMs: 0 })).toBe(1)
      return storage.read(key)
    },
  })
  expect((await late.begin('k', claim('b'))).token).toBeGreaterThan(first.token)
})

test('a clock that steps back never stands before the last change of a record', async () => {
  const { storage } = casMap()
  let clock = 10_000
  const store = createCasStore({ ...storage, now: () => clock })
  const { token } = await store.begin('k', claim('a'))
  clock = 5_000
  expect(await store.get('k')).toMatchObject({ leaseRemainingMs: 1000, retentionRemainingMs: 2000 })
  expect(await store.transition('k', token, { to: 'renew', leaseMs: 1500 })).toEqual({ outcome: 'ok', applied: true })
  clock = 10_500
  expect(await store.get('k')).toMatchObject({ leaseRemainingMs: 1000 })
})

test('of 64 that begin at once one acquires, and every renewal of 16 heartbeats is kept', async () => {
  const { storage } = casMap()
  const store = createCasStore(storage)
  const replies = await Promise.all(Array.from({ length: 64 }, (_, i) => store.begin('k', claim(`o${i}`))))
  const [winner, ...others] = replies.filter(({ outcome }) => outcome === 'acquired')
  expect(others).toEqual([])
  const token = winner?.token ?? 0
  const renewals = Array.from({ length: 16 }, (_, i) =>
    store.transition('k', token, { to: 'renew', leaseMs: 1000 * (i + 2) }),
  )
  expect(new Set((await Promise.all(renewals)).map(({ outcome }) => outcome))).toEqual(new Set(['ok']))
  expect((await store.get('k'))?.leaseRemainingMs).toBeGreaterThan(16_000)
})

test('an entry that never holds still ends in a bounded number of tries, and nothing was applied', async () => {
  const { storage } = casMap()
  let swaps = 0
  const store = createCasStore({ ...storage, swap: async () => ++swaps < 0 })
  await expect(store.begin('k', claim('a'))).rejects.toMatchObject({
    code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
    applied: 'no',
  })
  expect(swaps).toBe(20)
})

test('an error of the storage says whether the change may have taken effect', async () => {
  const { storage } = casMap()
  const cause = new Error('gone')
  const fails = () => Promise.reject(cause)
  const begin = (broken: Partial<CasStorage<number>>) =>
    createCasStore({ ...storage, ...broken }).begin('k', claim('a'))
  await expect(begin({ read: fails })).rejects.toMatchObject({ applied: 'no', cause })
  await expect(begin({ now: fails })).rejects.toMatchObject({ applied: 'no', cause })
  await expect(begin({ swap: fails })).rejects.toMatchObject({ applied: 'unknown', cause })
  const own = new StoreUnavailableError('not sent', { applied: 'no' })
  await expect(begin({ swap: () => Promise.reject(own) })).rejects.toBe(own)
})

test('list and purge are there where the storage can give its entries and remove them', async () => {
  const { storage, entries } = casMap()
  const { read, swap, entries: all } = storage
  expect(createCasStore({ read, swap })).not.toHaveProperty('list')
  expect(createCasStore({ read, swap, entries: all })).not.toHaveProperty('purge')
  let clock = 1_000_000
  const store = createCasStore({ ...storage, now: () => clock })
  for (const key of ['n.a.1', 'n.a.2', 'n.b.1', 'm.a.1']) await store.begin(key, claim('a', { leaseMs: 10 }))
  const { token } = await store.begin('n.a.3', claim('a'))
  await store.transition('n.a.3', token, { to: 'completed', result: bytes(1), retentionMs: 500_000 })
  const listed = async (query: ListQuery) => {
    const found: string[] = []
    for await (const { key } of store.list?.(query) ?? []) found.push(key)
    return found
  }
  expect(await listed({ namespace: 'n', operation: 'a' })).toEqual(['n.a.1', 'n.a.2', 'n.a.3'])
  expect(await listed({ state: 'completed' })).toEqual(['n.a.3'])
  expect(await listed({ limit: 2 })).toHaveLength(2)
  expect(await listed({ stuckForMs: 5 })).toEqual([])
  clock += 20
  expect(await listed({ stuckForMs: 5, namespace: 'm' })).toEqual(['m.a.1'])
  clock += 100_000
  expect(await listed({})).toEqual(['n.a.3'])
  expect(await listed({ expired: true })).toHaveLength(5)
  expect(await store.purge?.({ limit: 3 })).toBe(3)
  expect(await store.purge?.({ limit: 3 })).toBe(1)
  expect([...entries.keys()]).toEqual(['n.a.3'])
})
