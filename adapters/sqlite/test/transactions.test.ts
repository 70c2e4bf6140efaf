/** The record and a business write in one transaction of the caller's connection. */
import { IdempotencyInvalidOptionError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core'
import { describe, expect, test } from 'vitest'
import { sqliteStore } from '../src/index.ts'
import { bytes, claim, HOUR_MS } from './claim.ts'
import { errorOf, open, storeAt } from './support.ts'

async function shop() {
  const { clock, database, file, store } = await storeAt(1_000_000)
  database.exec('CREATE TABLE charges (id INTEGER PRIMARY KEY, amount INTEGER) STRICT')
  const charge = database.prepare('INSERT INTO charges (amount) VALUES (?)')
  const charges = () => database.prepare('SELECT amount FROM charges').pluck().all()
  return { clock, database, file, store, charge, charges }
}

const settled = { to: 'completed', result: bytes('paid'), retentionMs: HOUR_MS } as const

describe('transaction', () => {
  test('commits record and business write together', async () => {
    const { database, store, charge, charges } = await shop()
    const { token } = await store.begin('k', claim())

    const reply = await store.transaction((tx) => {
      charge.run(100)
      return [tx === database, store.bind(tx).transition('k', token, settled)]
    })

    expect(reply).toEqual([true, { outcome: 'ok', applied: true }])
    expect(charges()).toEqual([100])
    expect(await store.get('k')).toMatchObject({ state: 'completed', result: bytes('paid') })
  })

  test('rolls both back when work throws, and throws what it threw', async () => {
    const { database, store, charge, charges } = await shop()
    const { token } = await store.begin('k', claim())
    const failure = new Error('out of stock')

    const thrown = await errorOf(
      store.transaction((tx) => {
        charge.run(100)
        store.bind(tx).transition('k', token, settled)
        throw failure
      }),
    )

    expect(thrown).toBe(failure)
    expect(database.inTransaction).toBe(false)
    expect(charges()).toEqual([])
    expect(await store.get('k')).toMatchObject({ state: 'in_progress', token })
  })

  test('refuses async work, and rolls back what it had done', async () => {
    const { store, charge, charges } = await shop()
    const thrown = await errorOf(
      store.transaction(async () => {
        charge.run(100)
        throw new Error('this must not end the process')
      }),
    )
    expect(thrown).toBeInstanceOf(IdempotencyInvalidOptionError)
    expect(String(thrown)).toContain('must not be async')
    expect(charges()).toEqual([])
  })

  test('runs work once, also where it fails with a lock of its own', async () => {
    const { store, file } = await shop()
    const other = open(file, { timeout: 0 })
    let runs = 0
    const thrown = await errorOf(
      store.transaction(() => {
        runs++
        other.exec('BEGIN IMMEDIATE')
      }),
    )
    expect(thrown).toMatchObject({ code: 'SQLITE_BUSY' })
    expect(runs).toBe(1)
  })

  test('waits for another writer before it runs work', async () => {
    const { store, file, charge, charges } = await shop()
    const other = open(file)
    other.exec('BEGIN IMMEDIATE')
    const done = store.transaction(() => charge.run(1))
    setTimeout(() => {
      other.exec('INSERT INTO charges (amount) VALUES (2)')
      other.exec('COMMIT')
    }, 60)
    await done
    expect(charges()).toEqual([2, 1])
  })
})

describe('bind', () => {
  test('begins, settles and reads in a transaction that the caller opened', async () => {
    const { database, store, charge, charges } = await shop()
    const bound = database.transaction(() => {
      const joined = store.bind(database)
      const begun = joined.begin('k', claim())
      if (begun instanceof Promise || begun.outcome !== 'acquired') throw new Error('a first begin acquires')
      charge.run(100)
      joined.transition('k', begun.token, settled)
      return joined.get('k')
    })
    expect(bound()).toMatchObject({ state: 'completed' })
    expect(charges()).toEqual([100])
    expect(await store.begin('k', claim({ owner: 'two' }))).toMatchObject({ outcome: 'settled' })
  })

  test('leaves no trace when the caller rolls back', async () => {
    const { database, store } = await shop()
    database.exec('BEGIN')
    store.bind(database).begin('k', claim())
    database.exec('ROLLBACK')
    expect(await store.get('k')).toBeNull()
  })

  test('C-18 fails as a conflict where the transaction reads an older snapshot, instead of answering from it', async () => {
    const { database, file, store } = await shop()
    const { token } = await store.begin('k', claim())
    database.exec('BEGIN')
    database.prepare('SELECT count(*) FROM charges').get()
    await sqliteStore({ database: open(file), now: () => 1_000_000 }).transition('k', token, settled)
    const bound = store.bind(database)
    for (const call of [
      () => bound.get('k'),
      () => bound.begin('k', claim()),
      () => bound.transition('k', 1, settled),
    ]) {
      expect(call).toThrow(StoreUnavailableError)
    }
    database.exec('ROLLBACK')
    expect(await store.get('k')).toMatchObject({ state: 'completed' })
  })

  test('holds the lock from its first call, so that what it read stays true', async () => {
    const { database, file, store } = await shop()
    const { token } = await store.begin('k', claim())
    const other = sqliteStore({ database: open(file), now: () => 1_000_000, lockTimeout: 50 })
    database.exec('BEGIN')
    expect(store.bind(database).get('k')).toMatchObject({ state: 'in_progress' })
    expect(await errorOf(other.transition('k', token, settled))).toMatchObject({ applied: 'no' })
    database.exec('COMMIT')
    expect(await other.transition('k', token, settled)).toEqual({ outcome: 'ok', applied: true })
  })

  test('needs an open transaction', async () => {
    const { database, store } = await shop()
    expect(() => store.bind(database).get('k')).toThrow('no transaction is open')
  })

  test('joins another connection to the same file, too', async () => {
    const { file, store } = await shop()
    const other = open(file)
    store.bind(other)
    other.exec('BEGIN')
    store.bind(other).begin('k', claim())
    expect(await store.get('k')).toBeNull()
    other.exec('COMMIT')
    expect(await store.get('k')).toMatchObject({ state: 'in_progress' })
  })

  test('refuses a transaction that would not survive a loss of power', async () => {
    const { file, store } = await shop()
    const other = open(file)
    other.exec('BEGIN')
    expect(() => store.bind(other)).toThrow(StoreMisconfiguredError)
    other.exec('ROLLBACK')
    other.pragma('synchronous = FULL')
    other.exec('BEGIN')
    expect(store.bind(other).get('k')).toBeNull()
  })
})

test('work is called once, also when it throws what says that another database is locked', async () => {
  const { store } = await shop()
  let calls = 0
  const cause = Object.assign(new Error('of another database'), { code: 'SQLITE_BUSY' })
  const outcome = store.transaction(() => {
    calls++
    throw new StoreUnavailableError('locked', { applied: 'no', cause })
  })
  expect(await errorOf(outcome)).toMatchObject({ message: 'locked' })
  expect(calls).toBe(1)
})

describe('a call that is not bound, while a transaction is open on the connection of the store,', () => {
  test('waits for its end, and is no part of it', async () => {
    const { database, store } = await shop()
    const pending: Promise<unknown>[] = []
    const work = database.transaction(() => {
      store.bind(database).begin('bound', claim())
      pending.push(store.begin('free', claim()), store.get('bound'))
      throw new Error('rolled back')
    })
    expect(work).toThrow('rolled back')
    expect(await Promise.all(pending)).toMatchObject([{ outcome: 'acquired' }, null])
    expect(await store.get('free')).toMatchObject({ state: 'in_progress' })
  })

  test('says so when it does not end', async () => {
    const { database, file } = await shop()
    const store = sqliteStore({ database, lockTimeout: 50 })
    database.exec('BEGIN')
    const refusals = [await errorOf(store.get('k')), await errorOf(store.begin('k', claim()))]
    database.exec('COMMIT')
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ applied: 'no', message: expect.stringContaining('bind()') })
    }
    expect(await sqliteStore({ database: open(file) }).get('k')).toBeNull()
  })
})
