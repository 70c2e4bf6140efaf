/** Fails a file: each gives an error that says what to do, and nothing is lost. */
import { readFileSync, writeFileSync } from 'node:fs'
import { StoreClosedError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core'
import { describe, expect, test } from 'vitest'
import { migrate, sqliteStore } from '../src/index.ts'
import { bytes, claim, HOUR_MS } from './claim.ts'
import { errorOf, migratedFile, newFile, open, storeAt } from './support.ts'

describe('a lock that is held for long', () => {
  test('is waited for without blocking the event loop, and then told', async () => {
    const { database, file, store } = await storeAt(1_000_000, { lockTimeout: 300 })
    expect(database.pragma('busy_timeout', { simple: true })).toBe(5_000)
    const other = open(file)
    const { token } = await store.begin('held', claim())
    other.exec('BEGIN IMMEDIATE')

    let longestPauseMs = 0
    let lastMs = performance.now()
    const heartbeat = setInterval(() => {
      longestPauseMs = Math.max(longestPauseMs, performance.now() - lastMs)
      lastMs = performance.now()
    }, 5)
    const refusal = await errorOf(store.begin('k', claim()))
    clearInterval(heartbeat)

    expect(refusal).toBeInstanceOf(StoreUnavailableError)
    expect(refusal).toMatchObject({ applied: 'no', message: expect.stringContaining('lockTimeout') })
    // the time-out of the connection, 5 s, is neither used nor lost
    expect(longestPauseMs).toBeLessThan(250)
    expect(database.pragma('busy_timeout', { simple: true })).toBe(5_000)
    // a call that changes nothing takes no lock
    expect(await store.begin('held', claim({ owner: 'two' }))).toMatchObject({ outcome: 'in_progress', token })

    other.exec('ROLLBACK')
    expect(await store.begin('k', claim())).toMatchObject({ outcome: 'acquired', attempt: 1 })
  })

  test('is refused at once, whatever the busy time-out of the connection', async () => {
    const file = await migratedFile()
    const said: string[] = []
    const database = open(file, { timeout: 10_000, verbose: (statement) => said.push(String(statement)) })
    const store = sqliteStore({ database, lockTimeout: 50 })
    await store.get('k')
    const other = open(file)
    other.exec('BEGIN IMMEDIATE')
    said.length = 0
    const start = performance.now()
    const pending = errorOf(store.begin('k', claim()))
    expect(performance.now() - start).toBeLessThan(5_000)
    expect(said.filter((statement) => statement.includes('busy_timeout'))).toEqual([])
    expect(await pending).toMatchObject({ applied: 'no', message: expect.stringContaining('locked') })
    expect(said.filter((statement) => statement.startsWith('BEGIN IMMEDIATE'))).not.toEqual([])
  })

  test('that was held and given back between snapshot and lock: what was written then decides', async () => {
    const { database, file, store } = await storeAt(1_000_000)
    const another = sqliteStore({ database: open(file), now: () => 1_000_000 })
    await another.get('k')
    let locks = 0
    const late: typeof database = Object.create(database, {
      inTransaction: { get: () => database.inTransaction },
      exec: { value: (sql: string) => database.exec(sql) },
      prepare: {
        value: (sql: string) => {
          const prepared = database.prepare(sql)
          if (!sql.startsWith('UPDATE')) return prepared
          const run = () => {
            if (locks++ === 0) void another.begin('k', claim({ owner: 'another' }))
            return prepared.run()
          }
          return { run }
        },
      },
    })
    const reply = await sqliteStore({ database: late, now: () => 1_000_000 }).begin('k', claim({ owner: 'one' }))
    expect(reply).toMatchObject({ outcome: 'in_progress', attempt: 1 })
    expect(locks).toBe(1)
    expect(await store.get('k')).toMatchObject({ state: 'in_progress', token: reply.token })
  })

  test('blocks no read for as long as the connection would wait: another holds the whole file', async () => {
    const file = await migratedFile()
    const other = open(file)
    other.pragma('locking_mode = EXCLUSIVE')
    other.exec('BEGIN IMMEDIATE; COMMIT')
    const database = open(file, { timeout: 10_000 })
    const start = performance.now()
    const store = sqliteStore({ database, lockTimeout: 50 })
    const refusals = [await errorOf(store.get('k')), await errorOf(store.transaction(() => 'never'))]
    expect(performance.now() - start).toBeLessThan(5_000)
    for (const refusal of refusals) expect(refusal).toMatchObject({ applied: 'no' })
    expect(database.pragma('busy_timeout', { simple: true })).toBe(10_000)
    other.close()
    expect(await store.get('k')).toBeNull()
  })

  test('is acquired as soon as it is free', async () => {
    const { file, store } = await storeAt(1_000_000)
    const other = open(file)
    other.exec('BEGIN IMMEDIATE')
    const begin = store.begin('k', claim())
    setTimeout(() => other.exec('COMMIT'), 60)
    expect(await begin).toMatchObject({ outcome: 'acquired' })
  })

  test('a lockTimeout that is no duration is refused', () => {
    const database = open(':memory:')
    expect(() => sqliteStore({ database, lockTimeout: -1 })).toThrow('lockTimeout')
    expect(() => sqliteStore({ database, lockTimeout: Number.NaN })).toThrow('lockTimeout')
  })
})

describe('a read-only database', () => {
  test('answers what it can, and refuses the rest', async () => {
    const file = await migratedFile()
    const writer = sqliteStore({ database: open(file) })
    const { token } = await writer.begin('k', claim())
    await writer.transition('k', token, { to: 'completed', result: bytes('paid'), retentionMs: HOUR_MS })
    const store = sqliteStore({ database: open(file, { readonly: true }) })

    expect(await store.begin('k', claim())).toMatchObject({ outcome: 'settled', result: bytes('paid') })
    const refusal = await errorOf(store.begin('new', claim()))

    expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
    expect(String(refusal)).toContain('Open it for writing')
    expect(await writer.get('new')).toBeNull()
  })

  test('cannot be migrated', async () => {
    const file = newFile()
    open(file).exec('CREATE TABLE anything (id)')
    const database = open(file, { readonly: true })
    expect(await errorOf(migrate({ database }))).toBeInstanceOf(StoreMisconfiguredError)
  })
})

describe('a full disk', () => {
  test('refuses the change, keeps every record, and works again when there is room', async () => {
    const { database, store } = await storeAt(1_000_000)
    const first = await store.begin('a', claim())
    const large = new Uint8Array(500_000).fill(7)
    database.pragma(`max_page_count = ${Number(database.pragma('page_count', { simple: true })) + 20}`)

    const settle = { to: 'completed', result: large, retentionMs: HOUR_MS } as const
    const refusals = [
      await errorOf(store.transition('a', first.token, settle)),
      await errorOf(store.begin('b', claim({ request: large }))),
    ]

    for (const refusal of refusals) {
      expect(refusal).toBeInstanceOf(StoreUnavailableError)
      expect(refusal).toMatchObject({ applied: 'no', message: expect.stringContaining('Make room') })
    }
    expect(database.inTransaction).toBe(false)
    expect(await store.get('a')).toMatchObject({ state: 'in_progress', token: first.token, result: null })
    expect(await store.get('b')).toBeNull()

    database.pragma('max_page_count = 1073741823')
    expect(await store.transition('a', first.token, settle)).toEqual({ outcome: 'ok', applied: true })
    expect((await store.get('a'))?.result).toEqual(large)
  })
})

describe('a damaged file', () => {
  test('that is no database', async () => {
    const file = newFile()
    writeFileSync(file, 'This is a letter to somebody, and not a database at all. '.repeat(100))
    const store = sqliteStore({ database: open(file) })
    for (const refusal of [await errorOf(store.begin('k', claim())), await errorOf(store.get('k'))]) {
      expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
      expect(String(refusal)).toContain('no SQLite database')
    }
    expect(readFileSync(file, 'utf8')).toContain('a letter')
  })

  test('with a torn page', async () => {
    const file = await migratedFile()
    const database = open(file)
    const writer = sqliteStore({ database })
    await writer.begin('k', claim({ request: new Uint8Array(20_000) }))
    database.pragma('wal_checkpoint(TRUNCATE)')
    const pageBytes = Number(database.pragma('page_size', { simple: true }))
    const root = database
      .prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'retryproof'")
      .pluck()
      .get() as number
    database.close()
    const content = readFileSync(file)
    content.fill(0xff, (root - 1) * pageBytes, root * pageBytes)
    writeFileSync(file, content)

    const refusal = await errorOf(sqliteStore({ database: open(file) }).begin('k', claim()))

    expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
    expect(refusal).toMatchObject({ message: expect.stringContaining('restore it from a backup') })
  })
})

describe('the wrong table', () => {
  test('is missing: nothing is created behind your back, and migrate cures it without a restart', async () => {
    const database = open(newFile())
    const store = sqliteStore({ database })
    const refusal = await errorOf(store.begin('k', claim()))
    expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
    expect(String(refusal)).toContain('migrate()')
    expect(database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()).toBe(0)

    await migrate({ database })
    expect(await store.begin('k', claim())).toMatchObject({ outcome: 'acquired' })
  })

  test('was dropped under a running store', async () => {
    const { file, store } = await storeAt(1_000_000)
    await store.begin('k', claim())
    open(file).exec('DROP TABLE retryproof')
    const refusal = await errorOf(store.begin('k', claim()))
    expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
    expect(String(refusal)).toContain('migrate()')
  })

  test.each([
    ['has other columns', 'CREATE TABLE retryproof (k TEXT PRIMARY KEY NOT NULL, value BLOB)'],
    ['is no table', 'CREATE VIEW retryproof AS SELECT 1 AS k'],
  ])('%s', async (_, ddl) => {
    const database = open(newFile())
    database.exec(ddl)
    const refusals = [await errorOf(migrate({ database })), await errorOf(sqliteStore({ database }).get('k'))]
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
    expect(database.prepare('SELECT sql FROM sqlite_schema').pluck().all()[0]).toBe(ddl)
    expect(database.pragma('journal_mode', { simple: true })).toBe('delete')
  })

  test('misses the primary key', async () => {
    const file = await migratedFile()
    const database = open(file)
    const ddl = String(database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'retryproof'").pluck().get())
    database.exec('DROP TABLE retryproof')
    database.exec(ddl.replace('PRIMARY KEY', ''))
    const refusal = await errorOf(sqliteStore({ database }).get('k'))
    expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
    expect(String(refusal)).toContain('another layout')
  })

  test('belongs to a later version', async () => {
    const file = await migratedFile()
    const database = open(file)
    const ddl = String(database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'retryproof'").pluck().get())
    database.exec('DROP TABLE retryproof')
    database.exec(ddl.replace('layout 1\n', 'layout 12\n  colour TEXT,'))
    for (const refusal of [await errorOf(migrate({ database })), await errorOf(sqliteStore({ database }).get('k'))]) {
      expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
      expect(String(refusal)).toMatch(/layout 12.*knows 1: upgrade/)
    }
  })

  test('stands in a file that is not in WAL mode', async () => {
    const file = await migratedFile()
    const database = open(file)
    database.pragma('journal_mode = DELETE')
    const refusal = await errorOf(sqliteStore({ database }).begin('k', claim()))
    expect(refusal).toBeInstanceOf(StoreMisconfiguredError)
    expect(String(refusal)).toContain('migrate()')
  })
})

describe('the wrong connection', () => {
  test.each([
    ['nothing', undefined],
    ['a path', 'records.db'],
    ['another driver', { prepare() {}, exec() {} }],
  ])('%s is refused at construction', (_, database) => {
    expect(() => sqliteStore({ database: database as never })).toThrow(/better-sqlite3, bun:sqlite, or node:sqlite/)
  })

  test.each(['', 'a b', 'x"; DROP TABLE y; --', 'a'.repeat(64), '1st'])('the table name %j is refused', (table) => {
    expect(() => sqliteStore({ database: open(':memory:'), table })).toThrow(/table: must be/)
  })

  test('a closed one says so', async () => {
    const { database, store } = await storeAt(1_000_000)
    await store.begin('k', claim())
    database.close()
    const refusal = await errorOf(store.get('k'))
    expect(refusal).toBeInstanceOf(StoreClosedError)
    expect(refusal).toMatchObject({ message: expect.stringContaining('not open') })
  })
})

test.each([
  ['SQLITE_IOERR_FSYNC', 'unknown'],
  ['SQLITE_FULL', 'no'],
  ['SQLITE_BUSY', 'no'],
])('a COMMIT that fails with %s is rolled back, and says whether it took effect: %s', async (code, applied) => {
  const { database, store } = await storeAt(1_000_000)
  const failing = {
    prepare: (sql: string) => database.prepare(sql),
    exec(sql: string) {
      if (sql === 'COMMIT') throw Object.assign(new Error('from the COMMIT'), { code })
      return database.exec(sql)
    },
    get inTransaction() {
      return database.inTransaction
    },
  }

  const refusal = await errorOf(sqliteStore({ database: failing, lockTimeout: 20 }).begin('k', claim()))

  expect(refusal).toBeInstanceOf(StoreUnavailableError)
  expect(refusal).toMatchObject({ applied, message: expect.stringContaining('from the COMMIT') })
  expect(database.inTransaction).toBe(false)
  expect(await store.get('k')).toBeNull()
})
