/** The table: made by many at once, and refused with a reason where it is not ours. */
import { randomBytes } from 'node:crypto'
import { IdempotencyInvalidOptionError, StoreClosedError, StoreMisconfiguredError } from '@retryproof/core'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { migrate, postgresStore, schema } from '../src/index.ts'
import { claim, completed, connect, freshDatabase, freshTable, HOUR_MS } from './fixtures.ts'

test.each(['', 'a-b', 'a.b.c', '"a"', 'drop table x;', '1st', 'x'.repeat(49)])('%j cannot be a table', (table) => {
  const pool = new pg.Pool()
  expect(() => schema({ table })).toThrow(IdempotencyInvalidOptionError)
  expect(() => postgresStore({ pool, table })).toThrow(/table: must be a name of at most 48/)
})

test.each([1, 1.5, -2, 1025, Number.NaN])('%d partitions are no number of partitions', (partitions) => {
  expect(() => schema({ partitions })).toThrow(IdempotencyInvalidOptionError)
})

for (const { title, url: server } of await services('postgres')) {
  const url = await freshDatabase(server)
  describe(`the table on ${title}`, () => {
    const pool = connect(url)
    const madeRoles: string[] = []
    beforeAll(() => pool.query('CREATE SCHEMA retryproof_tests'))
    afterAll(async () => {
      for (const role of madeRoles) await pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
      await pool.end()
    })

    const misconfigured = (what: Promise<unknown>, message: RegExp) =>
      expect(what).rejects.toSatisfy(
        (error) =>
          error instanceof StoreMisconfiguredError && message.test(error.message) && !/undefined|%/.test(error.message),
        `a StoreMisconfiguredError with ${message}`,
      )

    test.each([
      ['one table', {}],
      ['hash partitions', { partitions: 3 }],
      ['another schema', { in: 'retryproof_tests' }],
    ])(
      '%s: eight processes migrate at once, and again',
      async (_, { in: schemaName, ...options }: { in?: string; partitions?: number }) => {
        const table = schemaName ? `${schemaName}.${freshTable()}` : freshTable()
        await Promise.all(Array.from({ length: 8 }, () => migrate({ pool, table, ...options })))
        await migrate({ pool, table, ...options })
        const store = postgresStore({ pool, table })
        const { token } = await store.begin('k', claim())
        expect(await store.transition('k', token, completed('x'))).toEqual({ outcome: 'ok', applied: true })
        const { rows } = await pool.query(
          'SELECT count(*)::int AS partitions FROM pg_inherits WHERE inhparent = $1::regclass',
          [table],
        )
        expect(rows).toEqual([{ partitions: options.partitions ?? 0 }])
      },
    )

    test('an index of another table that has the name of ours is said, and not taken for it', async () => {
      const [table, other] = [freshTable(), freshTable()]
      await pool.query(`CREATE TABLE ${other} (a int)`)
      await pool.query(`CREATE INDEX ${table}_expires ON ${other} (a)`)
      await misconfigured(migrate({ pool, table }), /has no index on expires_slot.*CREATE INDEX/)
      await pool.query(`CREATE INDEX ON ${table} (expires_slot)`)
      await migrate({ pool, table })
    })

    test.each([
      ['one table', {}],
      ['hash partitions', { partitions: 2 }],
    ])(
      '%s of an earlier version: beside open transactions, migrate sets its vacuum, and it is purged',
      async (_, options) => {
        const table = freshTable()
        for (const statement of schema({ table, ...options })) {
          const earlier = statement.replace(/expires_slot .* STORED,\s+/, '').replace(/ WITH \(autovacuum.*/, '')
          await pool.query(earlier.replace('(expires_slot)', '(expires_at)'))
        }
        const store = postgresStore({ pool, table })
        await store.begin('ended', claim({ leaseMs: 0, retentionMs: 0 }))
        await store.transaction(async (tx) => {
          await store.bind(tx).begin('open', claim())
          await migrate({ pool, table })
        })
        const { rows } = await pool.query(
          `SELECT reloptions @> '{autovacuum_vacuum_scale_factor=0.05}' AS tuned FROM pg_class
         WHERE relkind = 'r' AND (oid = $1::regclass OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::regclass))`,
          [table],
        )
        expect(rows).toEqual(Array('partitions' in options ? options.partitions : 1).fill({ tuned: true }))
        expect(await store.purge({ limit: 10, graceMs: 0 })).toBe(1)
      },
    )

    test('settling and renewing write no index entry, and a purge finds its records by the index', async () => {
      const table = freshTable()
      await migrate({ pool, table })
      let ms = 1_000 * HOUR_MS
      const store = postgresStore({ pool, table, now: () => ms })
      const size = async () => {
        const { rows } = await pool.query('SELECT pg_indexes_size($1::regclass)::int AS bytes', [table])
        return rows[0].bytes
      }
      const { token } = await store.begin('k', claim())
      const before = await size()
      for (let renewal = 0; renewal < 200; renewal++) {
        ms += 1
        await store.transition('k', token, { to: 'renew', leaseMs: HOUR_MS, retentionMs: HOUR_MS })
      }
      expect(await size()).toBe(before)
      ms += 3 * HOUR_MS
      expect(await store.purge({ limit: 10, graceMs: 0 })).toBe(1)
    })

    test('the statements of schema() make a table that migrate() accepts', async () => {
      const table = freshTable()
      for (const statement of schema({ table, partitions: 2 })) await pool.query(statement)
      await migrate({ pool, table })
    })

    test('a table that is missing', async () => {
      const store = postgresStore({ pool, table: freshTable() })
      const change = { to: 'parked', retentionMs: 1 } as const
      const absent = /does not exist: run migrate\(\)/
      await misconfigured(store.begin('k', claim()), absent)
      await misconfigured(store.transition('k', 1, change), absent)
      await misconfigured(store.get('k'), absent)
      await misconfigured(store.purge({ limit: 1 }), absent)
      await misconfigured(store.list({})[Symbol.asyncIterator]().next(), absent)
      const missing = { pool, table: 'no_such_schema.records' }
      await misconfigured(postgresStore(missing).get('k'), absent)
      await misconfigured(migrate(missing), /schema of the table .* does not exist/)
    })

    test.each([
      ['without a column', 'DROP COLUMN checkpoint_seq'],
      ['with other types', 'ALTER COLUMN lease_until TYPE timestamptz USING now()'],
      ['with keys that compare by language', 'ALTER COLUMN k TYPE text COLLATE "und-x-icu"'],
      ['with short tokens', 'ALTER COLUMN token TYPE integer'],
      ['with a column that must have a value', 'ADD COLUMN tenant text NOT NULL'],
      ['of a later version', 'RENAME CONSTRAINT %_layout_1 TO %_layout_2'],
    ])('a table %s is refused', async (name, change) => {
      const table = freshTable()
      await migrate({ pool, table })
      const store = postgresStore({ pool, table })
      await store.get('k')
      await pool.query(`ALTER TABLE ${table} ${change.replaceAll('%', table)}`)
      const other = /has another layout, or that of a later version: run migrate\(\)/
      if (!name.includes('by language')) await misconfigured(store.begin('k', claim()), other)
      if (name.includes('must have')) return
      await misconfigured(migrate({ pool, table }), /another layout, or belongs to a later version/)
    })

    test('a table of somebody else', async () => {
      const table = freshTable()
      await pool.query(`CREATE TABLE ${table} (id serial PRIMARY KEY, expires_at date)`)
      await misconfigured(migrate({ pool, table }), /another layout.*token/s)
      await misconfigured(postgresStore({ pool, table }).begin('k', claim()), /another layout/)
      await misconfigured(migrate({ pool, table, partitions: 2 }), /another layout/)
      expect((await pool.query(`SELECT * FROM ${table}`)).rows).toEqual([])
    })

    test('NI 11: a table that a crash of the server would empty', async () => {
      const table = freshTable()
      await migrate({ pool, table })
      await pool.query(`ALTER TABLE ${table} SET UNLOGGED`)
      await misconfigured(migrate({ pool, table }), /UNLOGGED/)
    })

    test('a server that only reads', async () => {
      const table = freshTable()
      await migrate({ pool, table })
      const readOnly = connect(url, { options: '-c default_transaction_read_only=on' })
      const store = postgresStore({ pool: readOnly, table })
      expect(await store.get('k')).toBeNull()
      // it may be one that was demoted a moment ago
      const onlyReads = {
        code: 'IDEMPOTENCY_STORE_UNAVAILABLE',
        applied: 'no',
        message: expect.stringContaining('primary'),
      }
      await expect(store.begin('k', claim())).rejects.toMatchObject(onlyReads)
      await expect(store.transition('k', 1, completed('x'))).rejects.toMatchObject(onlyReads)
      await expect(migrate({ pool: readOnly, table: freshTable() })).rejects.toMatchObject(onlyReads)
      await readOnly.end()
    })

    test('a role that may not', async () => {
      const [table, role] = [freshTable(), freshTable()]
      await migrate({ pool, table })
      await pool.query(`CREATE ROLE ${role} LOGIN`)
      madeRoles.push(role)
      const poor = connect(Object.assign(new URL(url), { username: role }).href)
      const store = postgresStore({ pool: poor, table })
      await misconfigured(store.begin('k', claim()), /role needs SELECT, INSERT, UPDATE and DELETE/)
      await pool.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${role}`)
      expect(await store.begin('k', claim())).toMatchObject({ outcome: 'acquired' })
      await poor.end()
    })

    test('a key for which there is no room', async () => {
      const table = freshTable()
      await migrate({ pool, table })
      const store = postgresStore({ pool, table })
      const random = randomBytes(4000).toString('hex')
      await misconfigured(store.begin(random, claim()), /no room for this key/)
      await misconfigured(store.begin('nul\0', claim()), /no room for this key/)
      expect(await store.get('k')).toBeNull()
    })

    test('a database that is not there, and a pool that was ended', async () => {
      const lost = connect(Object.assign(new URL(url), { pathname: '/no_such_database' }).href)
      const store = postgresStore({ pool: lost })
      await misconfigured(store.get('k'), /does not accept this role or database/)
      await lost.end()
      await expect(store.get('k')).rejects.toBeInstanceOf(StoreClosedError)
    })
  })
}
