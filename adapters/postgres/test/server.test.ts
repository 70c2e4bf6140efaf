/** A server of these tests' own: it stops, hangs, answers late and is asked what it wrote. */
import { countRoundTrips } from '@retryproof/conformance/test-tools/round-trips'
import { StoreUnavailableError } from '@retryproof/core'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type OwnNode, type Service, startService } from '../../../scripts/services.mjs'
import { migrate, type PostgresStore, postgresStore } from '../src/index.ts'
import { bytes, claim, completed, connect, HOUR_MS } from './fixtures.ts'
import { openProxy } from './proxy.ts'

describe('one server', { timeout: 60_000 }, () => {
  let server: Service<OwnNode>
  let pool: pg.Pool
  let store: PostgresStore<pg.PoolClient>

  beforeAll(async () => {
    server = await startService('postgres', {
      args: ['autovacuum=off', 'wal_writer_delay=10s', 'synchronous_commit=off'],
    })
    pool = connect(server.url)
    await migrate({ pool })
    store = postgresStore({ pool })
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  const node = () => server.nodes[0] as OwnNode
  const unavailable = (applied: 'no' | 'unknown') => (error: unknown) =>
    error instanceof StoreUnavailableError && error.applied === applied

  test('each operation is one round trip', async () => {
    const proxy = await openProxy(server.url)
    const far = connect(proxy.url, { max: 1 })
    const counted = postgresStore({ pool: far })
    await counted.get('connect')
    const trips = await countRoundTrips(counted, proxy)
    await far.end()
    await proxy.close()
    expect(trips).toEqual(Object.fromEntries(Object.keys(trips).map((name) => [name, 1])))
  })

  test('replays, conflicts and mismatches write no byte of WAL', async () => {
    const { token } = await store.begin('wal', claim())
    await store.begin('held', claim())
    await store.transition('wal', token, { to: 'completed', result: Buffer.alloc(100_000, 1), retentionMs: HOUR_MS })
    const written = async () =>
      Number((await pool.query("SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes")).rows[0].bytes)
    const during = async (calls: number, call: () => Promise<unknown>) => {
      // the first ones prepare and set hint bits
      for (let i = 0; i < 20; i++) await call()
      const before = await written()
      for (let i = 0; i < calls; i++) await call()
      return (await written()) - before
    }
    expect(await during(100, () => store.begin('wal', claim({ owner: 'two' })))).toBe(0)
    expect(await during(100, () => store.begin('held', claim({ owner: 'two' })))).toBe(0)
    expect(await during(100, () => store.begin('held', claim({ fingerprint: 'g' })))).toBe(0)
    expect(await during(100, () => store.begin('held', claim()))).toBe(0)
    expect(await during(100, () => store.get('wal'))).toBe(0)
    expect(await during(100, () => store.transition('held', token - 1, completed('x')))).toBeLessThan(100 * 200)
  })

  test('an acknowledged change is on disk, whatever the server’s synchronous_commit is', async () => {
    const lag = async () =>
      Number(
        (await pool.query('SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn() AS bytes')).rows[0].bytes,
      )
    expect((await pool.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'off' }])
    await pool.query('CREATE TABLE careless (i int); CHECKPOINT')
    await pool.query('INSERT INTO careless VALUES (1)')
    // the control: without it this server answers first
    expect(await lag()).toBeGreaterThan(0)
    const { token } = await store.begin('durable', claim())
    expect(await lag()).toBe(0)
    await pool.query('INSERT INTO careless VALUES (1)')
    await store.transition('durable', token, completed('x'))
    expect(await lag()).toBe(0)
  })

  test('a value at the limit comes back, and one over it is refused before it is sent', async () => {
    const result = Buffer.alloc(store.capabilities.maxValueBytes, '\\')
    const { token } = await store.begin('large', claim())
    const tooLarge = store.transition('large', token, {
      to: 'completed',
      result: Buffer.concat([result, result]),
      retentionMs: 1,
    })
    await expect(tooLarge).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_MISCONFIGURED' })
    await store.transition('large', token, { to: 'completed', result, retentionMs: HOUR_MS })
    const replay = await store.begin('large', claim())
    expect(result.equals(replay.result ?? Buffer.alloc(0))).toBe(true)
  })

  test('a server that answers too late: unknown, and the repeat says what became of it', async () => {
    let hangs = false
    const proxy = await openProxy(server.url, () => (hangs ? 'delay' : 'pass'))
    const impatient = connect(proxy.url, { query_timeout: 200, connectionTimeoutMillis: 200, max: 1 })
    const hasty = postgresStore({ pool: impatient })
    const { token } = await hasty.begin('late', claim())
    hangs = true
    await expect(hasty.transition('late', token, completed('late'))).rejects.toSatisfy(unavailable('unknown'))
    // a server that does not even greet was told nothing
    await expect(hasty.transition('late', token, completed('never'))).rejects.toSatisfy(unavailable('no'))
    expect(await store.get('late')).toMatchObject({ state: 'in_progress' })
    hangs = false
    proxy.release()
    await vi.waitFor(async () => expect(await store.get('late')).toMatchObject({ state: 'completed' }))
    expect(await hasty.transition('late', token, completed('again'))).toEqual({ outcome: 'ok', applied: false })
    expect(await hasty.begin('late', claim())).toMatchObject({ outcome: 'settled', result: bytes('late') })
    await impatient.end()
    await proxy.close()
  })

  test('a pool that is full says that nothing was sent', async () => {
    const full = connect(server.url, { max: 1, connectionTimeoutMillis: 50 })
    const client = await full.connect()
    await expect(postgresStore({ pool: full }).begin('full', claim())).rejects.toSatisfy(unavailable('no'))
    client.release()
    await full.end()
  })

  test('a lock that is held too long: nothing changed', async () => {
    const { token } = await store.begin('locked', claim())
    const bounded = connect(server.url, { lock_timeout: 50 })
    await store.transaction(async (tx) => {
      await store.bind(tx).transition('locked', token, completed('x'))
      const repeat = postgresStore({ pool: bounded }).transition('locked', token, completed('y'))
      await expect(repeat).rejects.toSatisfy(unavailable('no'))
    })
    await bounded.end()
  })

  test('a server that stops and comes back: every operation throws meanwhile, and nothing acknowledged is lost', async () => {
    const { token } = await store.begin('stopped', claim())
    await node().kill()
    for (const call of [
      () => store.begin('stopped', claim()),
      () => store.transition('stopped', token, completed('x')),
      () => store.get('stopped'),
      () => store.purge({ limit: 1 }),
      () => store.list({})[Symbol.asyncIterator]().next(),
      () => store.transaction(async () => 'never'),
    ]) {
      await expect(call()).rejects.toBeInstanceOf(StoreUnavailableError)
    }
    await expect(store.begin('new', claim())).rejects.toSatisfy(unavailable('no'))
    await node().start()
    expect(await store.begin('stopped', claim())).toMatchObject({ outcome: 'acquired', token, attempt: 1 })
  })
})
