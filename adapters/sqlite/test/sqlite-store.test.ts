import { statSync } from 'node:fs'
import type { ListedRecord } from '@retryproof/core'
import type { ListQuery } from '@retryproof/core/store'
import { describe, expect, test } from 'vitest'
import { migrate, type SqliteStore, schema, sqliteStore } from '../src/index.ts'
import { bytes, claim, HOUR_MS } from './claim.ts'
import { migratedFile, newFile, open, storeAt } from './support.ts'

describe('schema and migrate', () => {
  test('migrate may run again, and the statements of schema do the same', async () => {
    const [migrated, byHand] = [open(newFile()), open(newFile())]
    await migrate({ database: migrated })
    await migrate({ database: migrated })
    for (const statement of schema()) byHand.exec(statement)
    byHand.pragma('journal_mode = WAL')
    const definitions = 'SELECT name, sql FROM sqlite_schema ORDER BY name'
    expect(migrated.prepare(definitions).all()).toEqual(byHand.prepare(definitions).all())
    expect(migrated.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(await sqliteStore({ database: byHand }).begin('k', claim())).toMatchObject({ outcome: 'acquired' })
  })

  test('eight migrations at once agree', async () => {
    const file = newFile()
    await Promise.all(Array.from({ length: 8 }, () => migrate({ database: open(file) })))
    expect(await sqliteStore({ database: open(file) }).get('k')).toBeNull()
  })

  test('two tables of one file know nothing of each other', async () => {
    const database = open(newFile())
    await migrate({ database, table: 'one' })
    await migrate({ database, table: 'two' })
    await sqliteStore({ database, table: 'one' }).begin('k', claim())
    expect(await sqliteStore({ database, table: 'two' }).get('k')).toBeNull()
  })

  test('a database in memory is for one process, and does not last: it says so', async () => {
    const database = open(':memory:')
    await migrate({ database })
    const store = sqliteStore({ database })
    expect(store.capabilities).toMatchObject({ durable: false, shared: 'process' })
    expect(await store.begin('k', claim())).toMatchObject({ outcome: 'acquired' })
  })

  test('in a file, what was acknowledged survives a loss of power: every commit waits for the disk', async () => {
    const { database, store } = await storeAt(1_000_000)
    expect(store.capabilities).toMatchObject({ durable: true, shared: 'host' })
    await store.get('k')
    expect(database.pragma('synchronous', { simple: true })).toBe(2)
  })
})

test('a connection that reads integers as BigInts', async () => {
  const database = open(await migratedFile())
  database.defaultSafeIntegers()
  const store = sqliteStore({ database, now: () => 1_000_000 })
  const { token } = await store.begin('k', claim())
  const checkpoint = { seq: 1, data: bytes('step') }
  await store.transition('k', token, { to: 'renew', leaseMs: 30_000, checkpoint })
  expect(await store.get('k')).toMatchObject({ token: 1_000_000_000, attempt: 1, leaseRemainingMs: 30_000, checkpoint })
  expect(await store.purge({ limit: 1 })).toBe(0)
  const counted = { operation: 'op', state: 'in_progress', records: 1, leaseExpired: 0, longestExpiredMs: 0 }
  await store.begin('ns.op.k', claim())
  expect(await store.count({ namespace: 'ns' })).toStrictEqual([counted])
  const later = sqliteStore({ database, now: () => 1_030_001.5 })
  expect(await later.count({ namespace: 'ns' })).toStrictEqual([{ ...counted, leaseExpired: 1, longestExpiredMs: 1 }])
})

test('a record that another process renews between the read and the clock is not taken for expired', async () => {
  const { file, store } = await storeAt(1_000_000)
  const { token } = await store.begin('k', claim({ retentionMs: 0 }))
  const renewal = open(file).prepare('UPDATE retryproof SET lease_until = ?, expires_at = ?')
  let reads = 0
  const reader = sqliteStore({
    database: open(file),
    now() {
      if (reads++ === 0) renewal.run(1_090_000_000, 1_090_000_000)
      return 1_030_000
    },
  })
  expect(await reader.get('k')).toMatchObject({ state: 'in_progress', token, leaseRemainingMs: 60_000 })
})

test('a heartbeat writes no more beside a request of 1 MiB than without one', async () => {
  const walBytes = async (request: Uint8Array): Promise<number> => {
    const { clock, database, file, store } = await storeAt(1_000_000)
    const { token } = await store.begin('k', claim({ request }))
    database.pragma('wal_checkpoint(TRUNCATE)')
    database.pragma('wal_autocheckpoint = 0')
    for (let i = 0; i < 10; i++) {
      clock.ms += 10_000
      await store.transition('k', token, { to: 'renew', leaseMs: 30_000 })
    }
    return statSync(`${file}-wal`).size / 10
  }
  expect(await walBytes(new Uint8Array(2 ** 20).fill(7))).toBeLessThan(10_000)
  expect(await walBytes(new Uint8Array(1))).toBeLessThan(10_000)
})

describe('purge', () => {
  test('removes what expired before the grace, oldest first, and no more than the limit', async () => {
    const { clock, store } = await storeAt(1_000_000)
    for (const [key, retentionMs] of [
      ['c', 3_000],
      ['a', 1_000],
      ['b', 2_000],
      ['live', HOUR_MS],
    ] as const) {
      await store.begin(key, claim({ leaseMs: 0, retentionMs }))
    }
    clock.ms += 63_000
    expect(await store.purge({ limit: 2 })).toBe(2)
    expect(await keysOf(store, { expired: true })).toEqual(['c', 'live'])
    expect(await store.purge({ limit: 2 })).toBe(1)
    expect(await store.purge({ limit: 2, graceMs: 0 })).toBe(0)
    expect(await keysOf(store, { expired: true })).toEqual(['live'])
  })

  test('leaves a token that is ahead of the clock, so that none is given out twice', async () => {
    const { clock, store } = await storeAt(1_000_000)
    const first = await store.begin('k', claim({ leaseMs: 0, retentionMs: 0 }))
    expect(await store.purge({ limit: 10, graceMs: 0 })).toBe(0)
    clock.ms += 1
    expect(await store.purge({ limit: 10, graceMs: 0 })).toBe(1)
    expect((await store.begin('k', claim())).token).toBeGreaterThan(first.token)
  })
})

describe('list', () => {
  test('gives every record of a table that has many pages, once', async () => {
    const { store } = await storeAt(1_000_000)
    const keys = Array.from({ length: 1_234 }, (_, i) => `ns.op.${String(i).padStart(5, '0')}`)
    await store.transaction((tx) => {
      const bound = store.bind(tx)
      for (const key of keys) bound.begin(key, claim({ request: bytes('a request') }))
    })
    expect(await keysOf(store)).toEqual(keys)
    expect(await keysOf(store, { limit: 700 })).toEqual(keys.slice(0, 700))
  })

  test('asks by namespace, operation, state, and how long it has been stuck', async () => {
    const { clock, store } = await storeAt(1_000_000)
    await store.begin('shop.charge.1', claim())
    const second = await store.begin('shop.refund.2', claim())
    await store.begin('other.charge.3', claim({ retentionMs: 1_000 }))
    await store.transition('shop.refund.2', second.token, { to: 'parked', retentionMs: HOUR_MS })
    clock.ms += 40_000
    expect(await keysOf(store, { namespace: 'shop' })).toEqual(['shop.charge.1', 'shop.refund.2'])
    expect(await keysOf(store, { operation: 'charge' })).toEqual(['shop.charge.1'])
    expect(await keysOf(store, { operation: 'charge', expired: true })).toEqual(['other.charge.3', 'shop.charge.1'])
    expect(await keysOf(store, { state: 'parked' })).toEqual(['shop.refund.2'])
    expect(await keysOf(store, { stuckForMs: 10_000 })).toEqual(['shop.charge.1'])
    expect(await keysOf(store, { stuckForMs: 10_001 })).toEqual([])
  })
})

async function keysOf(store: Pick<SqliteStore<never>, 'list'>, query: ListQuery = {}): Promise<string[]> {
  const found: ListedRecord[] = []
  for await (const record of store.list(query)) found.push(record)
  return found.map(({ key }) => key)
}
