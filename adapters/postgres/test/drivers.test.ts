/** Clients in every mode that a pool may be in: what comes out is the same. */
import { PGlite, type Transaction } from '@electric-sql/pglite'
import { IdempotencyInvalidOptionError, StoreMisconfiguredError } from '@retryproof/core'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { service, services } from '../../../scripts/services.mjs'
import { migrate, type PostgresRecordStore, type PostgresStore, postgresStore } from '../src/index.ts'
import { bytes, claim, completed, connect, freshDatabase, freshTable, HOUR_MS } from './fixtures.ts'

const HISTORY = {
  begun: {
    outcome: 'acquired',
    attempt: 1,
    interrupted: false,
    leaseRemainingMs: HOUR_MS,
    request: null,
    result: null,
  },
  checkpointed: { outcome: 'ok', applied: true },
  held: { outcome: 'in_progress', checkpoint: null, request: null },
  seen: { state: 'in_progress', request: bytes('asked\0'), checkpoint: { seq: 1, data: bytes([0xff, 0]) } },
  again: { outcome: 'acquired', attempt: 2, request: bytes('asked\0'), checkpoint: { seq: 1 } },
  settled: { outcome: 'ok', applied: true },
  replayed: { outcome: 'settled', state: 'completed', result: bytes('{"a":"\\u0000"}'), checkpoint: null },
  listed: [{ key: 'ns.op.k', state: 'completed', attempt: 2, interrupted: false, leaseRemainingMs: 0 }],
  purged: 0,
}

/** One life of a record, with every kind of value. */
async function live(store: PostgresRecordStore) {
  const key = 'ns.op.k'
  const begun = await store.begin(key, claim({ request: bytes('asked\0') }))
  expectTypeOf(begun.token).toBeNumber()
  const checkpoint = { seq: 1, data: bytes([0xff, 0]) }
  const checkpointed = await store.transition(key, begun.token, { to: 'renew', leaseMs: HOUR_MS, checkpoint })
  const held = await store.begin(key, claim({ owner: 'two' }))
  const seen = await store.get(key)
  await store.transition(key, begun.token, { to: 'released', delayMs: 0, retentionMs: HOUR_MS })
  const again = await store.begin(key, claim({ owner: 'two' }))
  const settled = await store.transition(key, again.token, completed('{"a":"\\u0000"}'))
  const replayed = await store.begin(key, claim({ owner: 'three' }))
  const listed = []
  for await (const record of store.list({ namespace: 'ns', operation: 'op' })) listed.push(record)
  const purged = await store.purge({ limit: 10 })
  return { begun, checkpointed, held, seen, again, settled, replayed, listed, purged }
}

const knownOf = (given: object) => {
  const { name, text, values, types } = given as pg.QueryConfig
  return { name, text, values, types }
}

function clientThatPassesOn(passedOn: (given: object) => object) {
  class Client extends pg.Client {
    override query(given: unknown, ...rest: unknown[]): never {
      const query: (...all: unknown[]) => unknown = super.query
      return query.call(this, typeof given === 'object' ? passedOn(Object(given)) : given, ...rest) as never
    }
  }
  return Client
}

for (const { title, url: server } of await services('postgres')) {
  const url = await freshDatabase(server)
  describe(`drivers on ${title}`, () => {
    const admin = connect(url)
    let table: string
    beforeAll(async () => {
      table = freshTable()
      await migrate({ pool: admin, table })
    })
    afterAll(() => admin.end())

    async function withPool(config: pg.PoolConfig, use: (pool: pg.Pool) => Promise<void>): Promise<void> {
      await admin.query(`TRUNCATE ${table}`)
      const pool = connect(url, config)
      await use(pool).finally(() => pool.end())
    }

    test.each<[string, pg.PoolConfig]>([
      ['as it comes', {}],
      [
        'with BigInt and other parsers',
        { types: { getTypeParser: () => (text: string) => ({ parsed: BigInt(text.length) }) } as never },
      ],
      ['with escaped bytea', { options: '-c bytea_output=escape' }],
      [
        'in another language, time zone and style',
        { options: '-c DateStyle=German -c TimeZone=Asia/Kathmandu -c IntervalStyle=iso_8601' },
      ],
      ['that reads snapshots', { options: '-c default_transaction_isolation=serializable' }],
      ['without standard strings', { options: '-c standard_conforming_strings=off' }],
      ['of binary results', { binary: true } as pg.PoolConfig],
      ['of pipelining clients', { pipeline: true, max: 1 }],
    ])('a pool %s', (_, config) =>
      withPool(config, async (pool) => {
        expect(await live(postgresStore({ pool, table }))).toMatchObject(HISTORY)
      }),
    )

    test('unnamed statements leave nothing prepared, named ones are prepared once for all stores', () =>
      withPool({ max: 1 }, async (pool) => {
        const prepared = async () =>
          (await pool.query('SELECT count(*)::int AS n FROM pg_prepared_statements')).rows[0].n
        await live(postgresStore({ pool, table, prepare: false }))
        expect(await prepared()).toBe(0)
        await admin.query(`TRUNCATE ${table}`)
        await live(postgresStore({ pool, table }))
        const once = await prepared()
        expect(once).toBeGreaterThan(3)
        await admin.query(`TRUNCATE ${table}`)
        await live(postgresStore({ pool, table }))
        expect(await prepared()).toBe(once)
      }))

    test('a single client holds records, but no transactions beside them', async () => {
      await admin.query(`TRUNCATE ${table}`)
      const client = new pg.Client(url)
      await client.connect()
      const store = postgresStore({ pool: client, table })
      expectTypeOf(store).toEqualTypeOf<PostgresRecordStore>()
      expect(await live(store)).toMatchObject(HISTORY)
      expect(store.capabilities).toMatchObject({ transactional: false, shared: 'network' })
      expect(store).not.toHaveProperty('bind')
      expect(store).not.toHaveProperty('transaction')
      await client.end()
    })

    test('a wrapper that only passes texts and values on', async () => {
      await admin.query(`TRUNCATE ${table}`)
      const wrapper = { query: (text: string, values?: unknown[]) => admin.query(text, values) }
      expect(await live(postgresStore({ pool: wrapper, table }))).toMatchObject(HISTORY)
    })

    // tracers copy what they are given, and others answer by a promise of their own
    test.each<[string, (given: object) => object]>([
      ['copies of a statement', (given) => ({ ...given })],
      ['the members that it knows', knownOf],
      ['an object that inherits from a statement', (given) => Object.create(given)],
    ])('a client whose query passes on %s', (_, passedOn) =>
      withPool({ Client: clientThatPassesOn(passedOn) } as pg.PoolConfig, async (pool) => {
        expect(await live(postgresStore({ pool, table }))).toMatchObject(HISTORY)
        await admin.query(`ALTER TABLE ${table} RENAME TO renamed`)
        await expect(postgresStore({ pool, table }).get('ns.op.k')).rejects.toThrow(StoreMisconfiguredError)
        await admin.query(`ALTER TABLE renamed RENAME TO ${table}`)
      }),
    )

    test('a client whose query waits for the answer, and reads it', () => {
      const read: (number | null)[] = []
      class Client extends pg.Client {
        override async query(...given: unknown[]): Promise<never> {
          const query: (...all: unknown[]) => unknown = super.query
          const { rows, rowCount } = (await query.apply(this, given)) as pg.QueryResult
          read.push(rows.length - (rowCount ?? 0))
          return { rows } as never
        }
      }
      return withPool({ Client } as pg.PoolConfig, async (pool) => {
        expect(await live(postgresStore({ pool, table }))).toMatchObject(HISTORY)
        expect(new Set(read)).toEqual(new Set([0]))
      })
    })

    test('a client whose query fails by itself: the statement that breaks later is no unhandled rejection', async () => {
      class Client extends pg.Client {
        override query(given: unknown, ...rest: unknown[]): never {
          const query: (...all: unknown[]) => unknown = super.query
          query.call(this, typeof given === 'object' ? { ...Object(given) } : given, ...rest)
          throw new Error('by itself')
        }
      }
      const client = new Client(url)
      await client.connect()
      await expect(postgresStore({ pool: client, table }).get('k')).rejects.toThrow('by itself')
      // the statement is in flight, and its callback is told that the connection ended
      await client.end()
    })

    test('a single client: calls at the same moment are no reason for pg to warn, and one that is not connected is late', async () => {
      const warnings: string[] = []
      const warn = ({ message }: Error) => warnings.push(message)
      process.on('warning', warn)
      const client = new pg.Client(url)
      const late = postgresStore({ pool: client, table, timeout: '50ms' }).get('k')
      await expect(late).rejects.toMatchObject({ applied: 'unknown', message: expect.stringContaining('50 ms') })
      await client.connect()
      const store = postgresStore({ pool: client, table })
      const answers = await Promise.allSettled([
        store.get('k'),
        store.transition('k', 1, completed('')),
        store.get('k'),
      ])
      expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
      await client.end()
      process.off('warning', warn)
      expect(warnings).toEqual([])
    })

    test('the wrapper of postgres.js in the README, also for listings', async () => {
      await admin.query(`TRUNCATE ${table}`)
      const sql = postgres(url)
      const query = async (text: string, values: unknown[] = []) => ({
        rows: [...(await sql.unsafe(text, values as never))],
      })
      expect(await live(postgresStore({ pool: { query }, table }))).toMatchObject(HISTORY)
      await sql.end()
    })

    test('what an ORM has in the place of pg is refused, and the error says what to take', async () => {
      const store = postgresStore({ pool: admin, table })
      const bound = (tx: unknown) => store.bind(tx as pg.PoolClient).get('k')
      for (const foreign of [{ query: async () => [] }, { query: async () => undefined }]) {
        const misread = /Give the store the pg.Pool or the client of pg .* but with (undefined|an object of Array)/
        for (const call of [() => postgresStore({ pool: foreign as never }).get('k'), () => bound(foreign)])
          await expect(call()).rejects.toMatchObject({
            code: 'IDEMPOTENCY_STORE_MISCONFIGURED',
            message: expect.stringMatching(misread),
          })
      }
      for (const tx of [undefined, {}, () => {}]) await expect(bound(tx)).rejects.toThrow(IdempotencyInvalidOptionError)
      const ofPgPromise = { $pool: admin, query: async () => [] } as never
      expect(() => postgresStore({ pool: ofPgPromise })).toThrow('pg-promise: take its $pool')
    })

    test('a value that cannot be sent fails alone: others that wait for the same client are answered', async () => {
      const client = new pg.Client(url)
      await client.connect()
      const store = postgresStore({ pool: client, table })
      const request = new Uint8Array(16)
      structuredClone(request, { transfer: [request.buffer] })
      const calls = () => [store.get('before'), store.begin('detached', claim({ request })), store.get('after')]
      const told = (await Promise.allSettled(calls())).map(({ status }) => status)
      expect(told).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
      await client.end()
    })

    test('the pool is the caller’s: the store leaves it open, and gives back what it takes', () =>
      withPool({ max: 2 }, async (pool) => {
        const store = postgresStore({ pool, table })
        expectTypeOf(store).toEqualTypeOf<PostgresStore<pg.PoolClient>>()
        for (let i = 0; i < 5; i++) {
          await store.transaction(async () => 'value')
          await expect(store.transaction(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
        }
        expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
      }))

    test('a listing goes on past its pages, and ends at its limit', () =>
      withPool({}, async (pool) => {
        await pool.query(
          `INSERT INTO ${table} (k, token, owner, fingerprint, state, attempt, interrupted, lease_until, expires_at)
          SELECT CASE WHEN i <= 1200 THEN 'many.op.' ELSE 'many-more.op.' END || lpad(i::text, 5, '0'), i, '', '', 'parked', 1, false, 0, 9e15 FROM generate_series(1, 1300) i`,
        )
        const store = postgresStore({ pool, table })
        const keysOf = async (query: Parameters<typeof store.list>[0]) => {
          const keys = []
          for await (const { key } of store.list(query)) keys.push(key)
          return keys
        }
        const all = await keysOf({ namespace: 'many' })
        expect(all).toEqual(Array.from({ length: 1200 }, (_, i) => `many.op.${String(i + 1).padStart(5, '0')}`))
        expect(await keysOf({ namespace: 'many', limit: 1001 })).toEqual(all.slice(0, 1001))
        expect(await keysOf({})).toHaveLength(1300)
      }))

    test('purgers share the work, and none waits for another or for a holder', () =>
      withPool({}, async (pool) => {
        await pool.query(
          `INSERT INTO ${table} (k, token, owner, fingerprint, state, attempt, interrupted, lease_until, expires_at)
          SELECT 'old.op.' || i, i, '', '', 'completed', 1, false, 0, i FROM generate_series(1, 1000) i`,
        )
        const holder = await pool.connect()
        await holder.query('BEGIN')
        await holder.query(`SELECT FROM ${table} WHERE k = 'old.op.7' FOR UPDATE`)
        const store = postgresStore({ pool, table })
        const counts = await Promise.all(Array.from({ length: 8 }, () => store.purge({ limit: 150 })))
        expect(Math.max(...counts)).toBeLessThanOrEqual(150)
        let sum = counts.reduce((total, count) => total + count, 0)
        for (let count = 1; count > 0; sum += count) count = await store.purge({ limit: 150 })
        expect(sum).toBe(999)
        await holder.query('ROLLBACK')
        holder.release()
        expect(await store.purge({ limit: 150 })).toBe(1)
      }))
  })
}

describe('PgBouncer in transaction mode', async () => {
  const url = await freshDatabase((await service('pgbouncer')).url)
  const pool = connect(url, { max: 30 })
  const table = freshTable()
  beforeAll(() => migrate({ pool, table }))
  afterAll(() => pool.end())

  test('with unnamed statements it does what PostgreSQL does', async () => {
    const store = postgresStore({ pool, table, prepare: false })
    expect(await live(store)).toMatchObject(HISTORY)
    expect(store).not.toHaveProperty('watch')
    // more clients than PgBouncer has servers, so that sessions change hands
    const begun = await Promise.all(Array.from({ length: 60 }, (_, i) => store.begin(`k${i}`, claim())))
    expect(new Set(begun.map(({ outcome }) => outcome))).toEqual(new Set(['acquired']))
  })

  test('named statements get lost, and the error says what to set', async () => {
    const store = postgresStore({ pool, table })
    const calls = Array.from(
      { length: 30 },
      (_, round) => () => Promise.allSettled(Array.from({ length: 30 }, (_, i) => store.get(`${round}.${i}`))),
    )
    for (const call of calls) {
      const failed = (await call()).find((result) => result.status === 'rejected')
      if (!failed) continue
      expect(failed.reason).toBeInstanceOf(StoreMisconfiguredError)
      expect(failed.reason.message).toContain('prepare: false')
      return
    }
    expect.unreachable('no statement was ever lost')
  })
})

test('PGlite, with parsers of its own', { timeout: 60_000 }, async () => {
  const text = (value: string) => value
  const pool = await PGlite.create({ parsers: { 16: text, 20: (value) => BigInt(value), 25: text } })
  await migrate({ pool })
  const store = postgresStore({ pool })
  expectTypeOf(store).toEqualTypeOf<PostgresStore<Transaction>>()
  expect(await live(store)).toMatchObject(HISTORY)
  // its clock, its memory and its only connection are those of this process
  expect(store.capabilities).toMatchObject({ clock: 'host', durable: false, shared: 'process', transactional: 'async' })
  const swallowed = store.transaction(async (tx) => {
    await store.bind(tx).begin('swallowed', claim())
    await tx.query('SELECT 1 / 0').catch(() => {})
  })
  await expect(swallowed).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'no' })
  expect(await store.get('swallowed')).toBeNull()
  await pool.query("SET default_transaction_isolation = 'serializable'")
  expect(await store.transaction((tx) => store.bind(tx).begin('bound', claim()))).toMatchObject({ outcome: 'acquired' })
  await pool.close()
})
