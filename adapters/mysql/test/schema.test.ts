/** A table that is missing, or another one; a server, user or session that cannot carry a store. */
import { IdempotencyInvalidOptionError, StoreMisconfiguredError } from '@retryproof/core'
import fc from 'fast-check'
import type mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startService } from '../../../scripts/services.mjs'
import { migrate, mysqlStore, schema } from '../src/index.ts'
import { claim, completed, connect, freshTable, HOUR_MS, onEachServer, rowsOf } from './fixtures.ts'

const refused = (message: RegExp) => (error: unknown) =>
  error instanceof StoreMisconfiguredError && message.test(error.message)

await onEachServer(({ title, url, version }) => {
  const like = version.includes('MariaDB') ? 'mariadb' : 'mysql'

  describe(`the table on ${title}`, { timeout: 60_000 }, () => {
    let pool: mysql.Pool
    beforeAll(() => {
      pool = connect(url)
    })
    afterAll(() => pool.end())

    test('a store makes no table, and works as soon as it is there', async () => {
      const table = freshTable()
      const store = mysqlStore({ pool, table })
      for (const call of [
        () => store.begin('k', claim()),
        () => store.transition('k', 1, completed('x')),
        () => store.get('k'),
        () => store.purge({ limit: 1 }),
        () => store.list({})[Symbol.asyncIterator]().next(),
        () => store.transaction(() => undefined),
      ]) {
        await expect(call()).rejects.toSatisfy(refused(/is missing. Run migrate\(\)/))
      }
      await Promise.all([migrate({ pool, table }), migrate({ pool, table }), migrate({ pool, table })])
      expect(await store.begin('k', claim())).toMatchObject({ outcome: 'acquired' })
      await migrate({ pool, table })
      expect(await store.get('k')).toMatchObject({ state: 'in_progress' })
      await pool.query(`DROP TABLE ${table}`)
      await expect(store.get('k')).rejects.toSatisfy(refused(/doesn't exist. Run migrate\(\)/))
    })

    test('the statements of schema() make the table that a store takes', async () => {
      const table = freshTable()
      for (const statement of schema({ table })) await pool.query(statement)
      for (const statement of schema({ table })) await pool.query(statement)
      expect(await mysqlStore({ pool, table }).begin('k', claim())).toMatchObject({ outcome: 'acquired' })
    })

    test.each([
      [
        'a key that is text',
        'MODIFY k VARCHAR(255) NOT NULL',
        /another layout.*lacks \(k varbinary\(255\) NOT NULL PRIMARY KEY\)/,
      ],
      ['a key of several columns', 'DROP PRIMARY KEY, ADD PRIMARY KEY (k, token)', /another layout/],
      ['a column that is missing', 'DROP COLUMN checkpoint_seq', /lacks \(checkpoint_seq bigint\)/],
      ['a column that is optional', 'MODIFY owner VARBINARY(255)', /lacks \(owner varbinary\(255\) NOT NULL\)/],
      ['a column that counts', 'ADD id BIGINT AUTO_INCREMENT UNIQUE', /has an AUTO_INCREMENT column/],
      ['another engine', 'ENGINE = MyISAM', /has the engine MyISAM, and InnoDB is needed/],
      ['a later layout', "COMMENT = 'retryproof layout 2'", /later version of @retryproof\/mysql .*Upgrade it/],
    ])('%s is refused, by a store and by migrate', async (_, change, message) => {
      const table = freshTable()
      await migrate({ pool, table })
      await pool.query(`ALTER TABLE ${table} ${change}`)
      await expect(mysqlStore({ pool, table }).begin('k', claim())).rejects.toSatisfy(refused(message))
      await expect(migrate({ pool, table })).rejects.toSatisfy(refused(message))
      expect(await rowsOf(pool, `SELECT * FROM ${table}`)).toEqual([])
    })

    test('a store that is at work when the layout changes says so, and writes nothing', async () => {
      const table = freshTable()
      await migrate({ pool, table })
      const store = mysqlStore({ pool, table })
      const { token } = await store.begin('k', claim())
      await pool.query(
        `ALTER TABLE ${table} CHANGE lease_until lease_ends BIGINT NOT NULL, COMMENT = 'retryproof layout 2'`,
      )
      const before = await rowsOf(pool, `SELECT * FROM ${table}`)
      for (const call of [
        () => store.begin('k2', claim()),
        () => store.begin('k', claim()),
        () => store.transition('k', token, { to: 'renew', leaseMs: 1 }),
        () => store.get('k'),
      ]) {
        await expect(call()).rejects.toSatisfy(refused(/another layout/))
      }
      expect(await rowsOf(pool, `SELECT * FROM ${table}`)).toEqual(before)
    })

    test('columns and indexes of one’s own are left alone', async () => {
      const table = freshTable()
      await migrate({ pool, table })
      await pool.query(`ALTER TABLE ${table} ADD note VARCHAR(20), ADD INDEX (state, lease_until)`)
      const store = mysqlStore({ pool, table })
      const { token } = await store.begin('k', claim())
      expect(await store.transition('k', token, completed('x'))).toEqual({ outcome: 'ok', applied: true })
    })

    test('a table may be named after any word, in any case', async () => {
      for (const table of ['Select', `Mixed_${freshTable()}`, '1st']) {
        await migrate({ pool, table })
        expect(await mysqlStore({ pool, table }).get('k')).toBeNull()
        await pool.query(`DROP TABLE \`${table}\``)
      }
    })

    test('a name that is none is refused at construction', () => {
      const anything = fc.string().filter((name) => !/^(\w{1,64}\.)?\w{1,64}$/.test(name))
      const named = fc.constantFrom('', '.', 'a.b.c', 'a`b', 'a b', "a'--", 'x'.repeat(65), 'é', 'a\n')
      fc.assert(
        fc.property(fc.oneof(named, anything), (table) => {
          expect(() => mysqlStore({ pool, table })).toThrow(IdempotencyInvalidOptionError)
          expect(() => schema({ table })).toThrow(IdempotencyInvalidOptionError)
        }),
      )
      for (const wrong of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        if (wrong !== 1.5) expect(() => mysqlStore({ pool, timeout: wrong })).toThrow(/timeout/)
        expect(() => mysqlStore({ pool, maxValueBytes: wrong })).toThrow(/maxValueBytes/)
      }
    })

    test('a database that is none, and no database at all', async () => {
      const table = freshTable()
      await migrate({ pool, table })
      for (const [at, settings, message] of [
        [Object.assign(new URL(url), { pathname: '/no_such_database' }).href, {}, /Create the database|Check the user/],
        [Object.assign(new URL(url), { pathname: '/' }).href, {}, /No database is chosen/],
      ] as const) {
        const other = connect(at, settings)
        await expect(mysqlStore({ pool: other, table }).begin('k', claim())).rejects.toSatisfy(refused(message))
        await other.end()
      }
    })

    test('the largest value that the server takes comes back', async () => {
      const [server] = await rowsOf(pool, 'SELECT @@max_allowed_packet AS packet')
      const maxValueBytes = Math.floor(server?.packet / 2) - 4096
      const table = freshTable()
      await migrate({ pool, table })
      const store = mysqlStore({ pool, table, maxValueBytes })
      const { token } = await store.begin('k', claim())
      const result = Buffer.alloc(maxValueBytes, "'\\")
      await store.transition('k', token, { to: 'completed', result, retentionMs: HOUR_MS })
      const replay = await store.begin('k', claim({ owner: 'two' }))
      expect(Buffer.compare(replay.result ?? Buffer.alloc(0), result)).toBe(0)
      await pool.query(`DROP TABLE ${table}`)
    })

    test('a key, owner or fingerprint that has no room is refused, also by a server that would cut it off', async () => {
      const table = freshTable()
      await migrate({ pool, table })
      const loose = connect(url, { session: ["SET SESSION sql_mode = ''"] })
      const store = mysqlStore({ pool: loose, table })
      const long = 'é'.repeat(128)
      for (const call of [
        () => store.begin(long, claim()),
        () => store.begin('k', claim({ owner: long })),
        () => store.begin('k', claim({ fingerprint: long })),
        () => store.transition(long, 1, completed('x')),
      ]) {
        await expect(call()).rejects.toSatisfy(refused(/has 256 bytes, and there is room for 255/))
      }
      expect(await store.begin('é'.repeat(127), claim())).toMatchObject({ outcome: 'acquired' })
      expect(await rowsOf(loose, `SELECT COUNT(*) AS n FROM ${table}`)).toEqual([{ n: 1 }])
      await loose.end()
    })
  })

  describe(`servers like ${title}`, { timeout: 60_000 }, () => {
    test.each([
      ['--sysdate-is-now', { code: 'IDEMPOTENCY_STORE_MISCONFIGURED', message: /runs with --sysdate-is-now/ }],
      // it may be one that was demoted a moment ago
      ['--read-only', { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', message: /only reads for now/ }],
    ])('one with %s is refused', async (argument, { code, message }) => {
      const server = await startService(like, { args: [argument] })
      const pool = connect(server.url)
      try {
        const refusal = { code, message: expect.stringMatching(message) }
        await expect(migrate({ pool })).rejects.toMatchObject(refusal)
        await expect(mysqlStore({ pool }).begin('k', claim())).rejects.toMatchObject(refusal)
      } finally {
        await pool.end()
        await server.stop()
      }
    })

    test('a user without the rights, or with another password, is told', async () => {
      const server = await startService(like)
      const pool = connect(server.url)
      try {
        await migrate({ pool })
        await pool.query("CREATE USER guest IDENTIFIED BY 'guest'")
        await pool.query('GRANT SELECT ON retryproof.* TO guest')
        for (const [password, message] of [
          ['guest', /it needs SELECT, INSERT, UPDATE and DELETE/],
          ['wrong', /Check the user of the pool/],
        ] as const) {
          const guest = connect(Object.assign(new URL(server.url), { username: 'guest', password }).href)
          await expect(mysqlStore({ pool: guest }).begin('k', claim())).rejects.toSatisfy(refused(message))
          await guest.end()
        }
      } finally {
        await pool.end()
        await server.stop()
      }
    })

    test('one with packets that are too small is refused, unless the values are smaller still', async () => {
      const server = await startService(like, { args: ['--max-allowed-packet=8M'] })
      const pool = connect(server.url)
      try {
        await migrate({ pool })
        await expect(mysqlStore({ pool }).begin('k', claim())).rejects.toSatisfy(
          refused(/Raise its max_allowed_packet to 8396800, or lower maxValueBytes/),
        )
        const store = mysqlStore({ pool, maxValueBytes: 2 ** 20 })
        expect(await store.begin('k', claim())).toMatchObject({ outcome: 'acquired' })
      } finally {
        await pool.end()
        await server.stop()
      }
    })

    // MySQL takes this setting only when its data directory is made
    test.runIf(like === 'mariadb')('one that folds the names of tables is as good as any', async () => {
      const server = await startService(like, { args: ['--lower-case-table-names=1'] })
      const pool = connect(server.url)
      try {
        await migrate({ pool, table: 'Folded' })
        await migrate({ pool, table: 'FOLDED' })
        expect(await mysqlStore({ pool, table: 'fOLDED' }).begin('k', claim())).toMatchObject({ outcome: 'acquired' })
      } finally {
        await pool.end()
        await server.stop()
      }
    })
  })
})
