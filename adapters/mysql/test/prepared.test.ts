/** Statements that are prepared on connections that stay, and what becomes of them where a server or an application drops them. */
import fc from 'fast-check'
import callbacks from 'mysql2'
import type mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startService } from '../../../scripts/services.mjs'
import { migrate, mysqlStore } from '../src/index.ts'
import { claim, completed, connect, freshTable, onEachServer, rowsOf, type Settings, storeAt } from './fixtures.ts'
import { type Fate, openProxy } from './proxy.ts'

const PREPARING_USE = 5
const COM_STMT_PREPARE = 0x16
const keys = (count: number) => Array.from({ length: count }, () => freshTable())

await onEachServer(({ title, url, version }) =>
  describe(`prepared statements on ${title}`, { timeout: 60_000 }, () => {
    let fixture: Awaited<ReturnType<typeof storeAt>>
    beforeAll(async () => {
      fixture = await storeAt(url)
    })
    afterAll(() => fixture.pool.end())

    /** A store on a pool of one connection. */
    function open(settings: Settings = {}, options: { prepare?: boolean; at?: string; table?: string } = {}) {
      const { at = url, table = fixture.table, prepare = true } = options
      const pool = connect(at, { ...settings, pool: { connectionLimit: 1, ...settings.pool } })
      // a proxy in front of the server may be closed by then
      onTestFinished(() => pool.end().catch(() => {}))
      return { pool, store: mysqlStore({ pool, table, prepare }) }
    }
    type Store = ReturnType<typeof open>['store']

    /** A fresh call, its replay and a look at it, so often that each statement is prepared. */
    async function use(store: Store, times = 4 * PREPARING_USE) {
      for (const key of keys(times)) {
        const { token } = await store.begin(key, claim())
        expect(await store.transition(key, token, completed('result'))).toEqual({ outcome: 'ok', applied: true })
        const replay = await store.begin(key, claim({ owner: 'other' }))
        expect([replay.outcome, Buffer.from(replay.result ?? []).toString()]).toEqual(['settled', 'result'])
        expect(await store.get(key)).toMatchObject({ state: 'completed', token })
      }
    }

    /** A proxy that counts what the server is asked to prepare, and does to it what it is told. */
    async function preparesAt(target: string, fate: Fate = 'pass') {
      const asked = { prepares: 0 }
      const proxy = await openProxy(target, (request) => {
        if (request.charCodeAt(4) !== COM_STMT_PREPARE) return 'pass'
        asked.prepares++
        return fate
      })
      onTestFinished(() => proxy[Symbol.asyncDispose]())
      return Object.assign(asked, { at: proxy.url })
    }

    /** Reads a counter of the server for the sessions of the pool. */
    async function counted(pool: mysql.Pool, name: string): Promise<number> {
      const rows = await rowsOf(pool, `SHOW SESSION STATUS LIKE '${name}'`)
      return rows.reduce((sum, { Value }) => sum + Number(Value), 0)
    }

    test('the fifth use on a connection prepares, by one round trip more; `prepare: false` never does', async () => {
      for (const prepare of [true, false]) {
        await using proxy = await openProxy(url)
        const { pool, store } = open({}, { prepare, at: proxy.url })
        await store.get('opens the connection')
        const trips: number[] = []
        for (const key of keys(PREPARING_USE + 2)) {
          const before = proxy.roundTrips
          await store.begin(key, claim())
          trips.push(proxy.roundTrips - before)
        }
        expect(trips).toEqual(prepare ? [1, 1, 1, 1, 2, 1, 1] : Array(7).fill(1))
        expect(await counted(pool, 'Com_stmt_prepare')).toBe(Number(prepare))
      }
    })

    test('two stores with one table share them, and a connection has few', async () => {
      const { pool, store } = open()
      await use(store)
      const prepared = await counted(pool, 'Com_stmt_prepare')
      expect(prepared).toBeLessThanOrEqual(5)
      await use(mysqlStore({ pool, table: fixture.table }), 3)
      expect(await counted(pool, 'Com_stmt_prepare')).toBe(prepared)
    })

    const sessions: Record<string, Settings> = {
      'as it is': {},
      latin1: { pool: { charset: 'latin1_swedish_ci' }, session: [`SET time_zone = '+05:45'`] },
      'text as bytes': { session: ['SET NAMES binary'] },
      'gbk, which takes a backslash for half a letter': { session: ['SET NAMES gbk'] },
      'numbers and dates as text': {
        pool: {
          supportBigNumbers: true,
          bigNumberStrings: true,
          dateStrings: true,
          decimalNumbers: true,
          timezone: '-11:00',
        },
      },
      'without code that is made': { pool: { disableEval: true } },
      'sql_mode that takes empty texts for NULL': {
        session: [
          `SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES${version.includes('MariaDB') ? ',EMPTY_STRING_IS_NULL' : ''}'`,
        ],
      },
    }
    test.each(Object.keys(sessions))('values come back byte for byte in a session: %s', async (name) => {
      const { pool, store } = open(sessions[name])
      await use(store)
      const word = fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => text.isWellFormed())
      const bytes = fc.uint8Array({ maxLength: 300 })
      await fc.assert(
        fc.asyncProperty(word, word, bytes, fc.option(bytes), async (owner, fingerprint, result, request) => {
          const [key = ''] = keys(1)
          const { token } = await store.begin(key, { ...claim({ owner, fingerprint }), ...(request && { request }) })
          expect(await store.get(key)).toMatchObject({ fingerprint, request, attempt: 1, result: null })
          await store.transition(key, token, { to: 'completed', result, retentionMs: 60_000 })
          const replay = await store.begin(key, claim({ owner: 'other', fingerprint }))
          expect(replay).toMatchObject({ outcome: 'settled', result, token })
          expect(replay.retentionRemainingMs).toBeGreaterThan(50_000)
          expect(replay.retentionRemainingMs).toBeLessThanOrEqual(60_000)
        }),
        { numRuns: 40 },
      )
      expect(await counted(pool, 'Com_stmt_execute')).toBeGreaterThan(100)
    })

    describe('a session that makes two bytes of each digit of hex', () => {
      const wide = 'SET character_set_connection = utf16'

      test.each(['from its start', 'later'])('%s: texts', async (since) => {
        const { pool, store } = open(since === 'later' ? {} : { session: [wide] })
        await use(store)
        await pool.query(wide)
        const [key = ''] = keys(1)
        const { token } = await fixture.store.begin(key, claim({ request: Buffer.from('request') }))
        expect(await store.get(key)).toMatchObject({ token, request: new Uint8Array(Buffer.from('request')) })
        await use(store)
      })

      const calls: Record<string, (store: Store, key: string, token: number) => Promise<unknown>> = {
        settlement: (store, key, token) => store.transition(key, token, completed('x')),
        begin: (store, key) => store.begin(key, claim({ owner: 'other' })),
        get: (store, key) => store.get(key),
      }
      test.each(Object.keys(calls))('each %s finds its record', async (name) => {
        const { pool, store } = open()
        await pool.query(wide)
        for (const key of keys(2 * PREPARING_USE)) {
          const { token } = await fixture.store.begin(key, claim())
          const expected =
            name === 'settlement'
              ? { outcome: 'ok', applied: true }
              : { [name === 'get' ? 'state' : 'outcome']: 'in_progress' }
          expect(await calls[name]?.(store, key, token)).toMatchObject(expected)
        }
      })
    })

    test('a session whose time zone and sql_mode change later goes on', async () => {
      const { pool, store } = open()
      await use(store)
      await pool.query(`SET time_zone = '-07:00', sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE'`)
      await use(store)
      await pool.query('SET NAMES latin1')
      await use(store)
      expect(await counted(pool, 'Com_stmt_prepare')).toBeLessThanOrEqual(5)
    })

    test('they find a record as the texts do, by its key', async () => {
      const read = async (prepare: boolean) => {
        const { pool, store } = open({}, { prepare })
        await use(store, 60)
        const before = await counted(pool, 'Handler_read_%')
        await use(store, 20)
        return (await counted(pool, 'Handler_read_%')) - before
      }
      expect(await read(true)).toBeLessThanOrEqual(await read(false))
    })

    test('a transaction that was left open, and autocommit that was set off, are found by each of them', async () => {
      for (const statement of ['START TRANSACTION', 'SET autocommit = 0']) {
        const [key = ''] = keys(1)
        const { token } = await fixture.store.begin(key, claim())
        for (const call of [
          (store: Store) => store.begin(`${key} new`, claim()),
          (store: Store) => store.begin(key, claim({ owner: 'other' })),
          (store: Store) => store.transition(key, token, completed('x')),
          ...(statement === 'START TRANSACTION' ? [] : [(store: Store) => store.get(key)]),
        ]) {
          const { pool, store } = open()
          await use(store)
          await pool.query(statement)
          await expect(call(store)).rejects.toThrow(/autocommit off, or a transaction that was left open/)
        }
        expect(await fixture.store.get(`${key} new`)).toBeNull()
        expect(await fixture.store.get(key)).toMatchObject({ state: 'in_progress', attempt: 1 })
      }
    })

    test('an answer that is lost leaves it unknown what was done, and nothing is sent again', async () => {
      const [key = ''] = keys(1)
      const hex = Buffer.from(key).toString('hex')
      let sent = 0
      await using proxy = await openProxy(url, (request) => (request.includes(hex) && ++sent ? 'lose reply' : 'pass'))
      const { store } = open({}, { at: proxy.url })
      await use(store)
      await expect(store.begin(key, claim())).rejects.toMatchObject({ applied: 'unknown' })
      expect(sent).toBe(1)
      expect(await fixture.store.get(key)).toMatchObject({ state: 'in_progress', attempt: 1 })
    })

    test('a connection that breaks while a statement is prepared fails the call', async () => {
      const server = await preparesAt(url, 'lose reply')
      const { store } = open({}, { at: server.at })
      const outcomes: string[] = []
      for (const key of keys(PREPARING_USE * 2))
        outcomes.push(
          await store.begin(key, claim()).then(
            ({ outcome }) => outcome,
            (error) => error.code,
          ),
        )
      const begun = Array(PREPARING_USE - 1).fill('acquired')
      const failed = 'IDEMPOTENCY_STORE_UNAVAILABLE'
      expect([server.prepares, outcomes]).toEqual([2, [...begun, failed, ...begun, failed]])
    })

    describe('that are gone', () => {
      /** Texts from here on: one round trip for each call, and nothing is prepared. */
      async function expectTexts(pool: mysql.Pool, store: Store) {
        const executed = await counted(pool, 'Com_stmt_execute')
        await use(store)
        expect(await counted(pool, 'Com_stmt_execute')).toBe(executed)
      }

      test('the server has closed them behind the driver: texts take their place, and each call is done once', async () => {
        await using proxy = await openProxy(url)
        const { pool, store } = open({}, { at: proxy.url })
        await use(store)
        const connection = await pool.getConnection()
        await closeAll(connection.connection)
        connection.release()
        const [key = ''] = keys(1)
        const before = proxy.roundTrips
        const { token } = await store.begin(key, claim())
        expect(proxy.roundTrips - before).toBe(2)
        expect(await store.get(key)).toMatchObject({ token, attempt: 1 })
        await expectTexts(pool, store)
      })

      test('a refusal that says that a statement was not executed closes the others', async () => {
        const { pool, store } = open()
        await use(store)
        const connection = await pool.getConnection()
        await closeAll(connection.connection)
        connection.release()
        await use(store, 1)
        // mysql2 would execute them again, in vain, for whoever asks for the same text
        const core = connection.connection as unknown as { _statements: { size: number } }
        expect(core._statements.size).toBe(0)
      })

      test('the application changes the user of the session', async () => {
        const { pool, store } = open()
        await use(store)
        const connection = await pool.getConnection()
        await connection.changeUser({})
        connection.release()
        await use(store, 1)
        await expectTexts(pool, store)
      })

      test('the pool resets each session that comes back: nothing is prepared again and again', async () => {
        const server = await preparesAt(url)
        // mysql2 before 3.15 does not know the option
        const { store } = open({ pool: { ...{ resetOnRelease: true } } }, { at: server.at })
        await use(store)
        expect(server.prepares).toBeLessThanOrEqual(6)
      })

      test('the application has room for few, and uses its own', async () => {
        const { pool, store } = open({ pool: { maxPreparedStatements: 2 } })
        const own = async () =>
          expect((await pool.execute('SELECT ? AS own', ['own']))[0]).toMatchObject([{ own: 'own' }])
        for (let turn = 0; turn < 4; turn++) {
          await use(store)
          await own()
        }
        await expectTexts(pool, store)
        const before = await counted(pool, 'Com_stmt_prepare')
        await own()
        await own()
        expect(await counted(pool, 'Com_stmt_prepare')).toBe(before)
        const open_ = (await counted(pool, 'Com_stmt_prepare')) - (await counted(pool, 'Com_stmt_close'))
        expect(open_).toBeLessThanOrEqual(2)
      })
    })

    test('the table is altered, and made anew, while statements of it are prepared', async () => {
      const table = freshTable()
      await migrate({ pool: fixture.pool, table })
      const { store } = open({}, { table })
      await use(store)
      await fixture.pool.query(`ALTER TABLE ${table} ENGINE = InnoDB`)
      await use(store, 1)
      await fixture.pool.query(`ALTER TABLE ${table} ADD COLUMN more INT, ADD INDEX later (attempt)`)
      await use(store, 1)
      await fixture.pool.query(`DROP TABLE ${table}`)
      await expect(store.begin('k', claim())).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_MISCONFIGURED' })
      await migrate({ pool: fixture.pool, table })
      await use(store)
      await fixture.pool.query(`DROP TABLE ${table}`)
    })

    test('a pool of the callback API, and a connection that a transaction of the application had, prepare as well', async () => {
      const pool = callbacks.createPool({ uri: url, connectionLimit: 1 })
      onTestFinished(() => pool.promise().end())
      const store = mysqlStore({ pool, table: fixture.table })
      await use(store)
      await store.transaction(async (tx) => {
        await tx.execute('SELECT ? AS one', [1])
        await store.bind(tx).begin(keys(1)[0] ?? '', claim())
      })
      await use(store)
      expect(await counted(pool.promise(), 'Com_stmt_execute')).toBeGreaterThan(20)
    })

    test('a number that is not whole is refused before anything is sent, and the connection stays', async () => {
      const { pool, store } = open()
      await use(store)
      const executed = await counted(pool, 'Com_stmt_execute')
      await expect(store.transition('k', 1.5, completed('x'))).rejects.toThrow(RangeError)
      expect(await counted(pool, 'Com_stmt_execute')).toBe(executed)
    })

    test('a server that takes no more of them is asked once for each connection', { timeout: 120_000 }, async () => {
      const own = await startService(version.includes('MariaDB') ? 'mariadb' : 'mysql')
      onTestFinished(() => own.stop())
      const admin = connect(own.url, { pool: { connectionLimit: 1 } })
      await migrate({ pool: admin })
      await admin.query('SET GLOBAL max_prepared_stmt_count = 0')
      const none = await preparesAt(own.url)
      const { pool, store } = open({}, { at: none.at, table: 'retryproof' })
      await use(store)
      expect([none.prepares, await counted(pool, 'Com_stmt_execute')]).toEqual([1, 0])

      await admin.query('SET GLOBAL max_prepared_stmt_count = 1')
      const one = await preparesAt(own.url)
      await use(open({}, { at: one.at, table: 'retryproof' }).store)
      // the one that was prepared before the refusal is closed
      const [counter] = await rowsOf(admin, `SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'`)
      expect([one.prepares, Number(counter?.Value)]).toEqual([2, 0])
      await admin.end()
    })
  }),
)

/** Closes each statement of a session on the server; mysql2 does not learn of it. */
async function closeAll(connection: unknown): Promise<void> {
  const core = connection as {
    prepare(sql: string, callback: (error: unknown, statement: { id: number; close(): void }) => void): void
    unprepare(sql: string): void
    query(sql: string, callback: () => void): void
  }
  await new Promise<void>((resolve, reject) => {
    core.prepare('SELECT 1 AS last', (error, last) => {
      if (error) return reject(error)
      for (let id = 1; id < last.id; id++)
        Object.assign(Object.create(Object.getPrototypeOf(last)), last, { id }).close()
      core.unprepare('SELECT 1 AS last')
      core.query('DO 0', resolve)
    })
  })
}
