/**
 * Runs the conformance suite, and what is particular to a driver, on the runtime that runs this file.
 * Arguments: `node:sqlite` or `bun:sqlite`, and a folder. The last line of the output is a `Report`.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { checks, ruledOut, type StoreHarness } from '@retryproof/conformance'
import { IdempotencyError, StoreMisconfiguredError, StoreUnavailableError } from '@retryproof/core'
import { migrate, type SqliteDatabase, sqliteStore } from '../../src/index.ts'
import { bytes, claim, HOUR_MS } from '../claim.ts'

export interface Report {
  readonly passed: number
  /** The reason of each check that does not apply, under its id. */
  readonly skipped: Readonly<Record<string, string>>
  /** The message of each failed check, under its id. */
  readonly failed: Readonly<Record<string, string>>
}

type Connection = SqliteDatabase & { close(): void }
type Driver = new (file: string, ...options: [Record<string, unknown>?]) => Connection

const [driver = '', folder = ''] = process.argv.slice(2)
const module = (await import(driver)) as { DatabaseSync?: Driver; Database?: Driver }
const Driver = module.DatabaseSync ?? module.Database
assert(Driver, `${driver} has no class for a connection`)
const file = join(folder, 'records.db')
const connect = (...options: [Record<string, unknown>?]) => new Driver(file, ...options)

const harness: StoreHarness<Connection> = {
  open: ({ now }) => sqliteStore({ database: connect(), ...(now && { now }) }),
}

const settled = { to: 'completed', result: bytes('paid'), retentionMs: HOUR_MS } as const

const own: Readonly<Record<string, () => Promise<void>>> = {
  async locked() {
    const other = connect()
    other.exec('BEGIN IMMEDIATE')
    const error = await errorOf(sqliteStore({ database: connect(), lockTimeout: 50 }).begin('locked', claim()))
    other.exec('ROLLBACK')
    assert(error instanceof StoreUnavailableError && error.applied === 'no', String(error))
    assert.match(error.message, /lockTimeout/)
  },
  async 'read-only'() {
    const database = connect(driver === 'bun:sqlite' ? { readonly: true } : { readOnly: true })
    const error = await errorOf(sqliteStore({ database }).begin('read-only', claim()))
    assert(error instanceof StoreMisconfiguredError, String(error))
    assert.match(error.message, /Open it for writing/)
  },
  async 'missing table'() {
    const error = await errorOf(sqliteStore({ database: connect(), table: 'none' }).get('k'))
    assert(error instanceof StoreMisconfiguredError, String(error))
  },
  async closed() {
    const database = connect()
    const store = sqliteStore({ database })
    database.close()
    assert((await errorOf(store.get('k'))) instanceof IdempotencyError)
  },
  async transaction() {
    const store = sqliteStore({ database: connect() })
    const { token } = await store.begin('transaction', claim())
    const settle = (tx: Connection) => store.bind(tx).transition('transaction', token, settled)
    const undone = store.transaction((tx) => {
      settle(tx)
      throw new Error('undone')
    })
    assert.match(String(await errorOf(undone)), /undone/)
    assert.equal((await store.get('transaction'))?.state, 'in_progress')
    await store.transaction(settle)
    assert.equal((await store.get('transaction'))?.state, 'completed')
  },
  async 'rows in other shapes'() {
    const shapes =
      driver === 'bun:sqlite' ? { safeIntegers: true, strict: true } : { readBigInts: true, returnArrays: true }
    const store = sqliteStore({ database: connect({ readwrite: true, ...shapes }), now: () => 1_000_000 })
    const { token } = await store.begin('shapes', claim())
    const checkpoint = { seq: 1, data: bytes('step') }
    await store.transition('shapes', token, { to: 'renew', leaseMs: 30_000, checkpoint })
    const view = await store.get('shapes')
    assert.deepEqual([view?.token, view?.attempt, view?.checkpoint], [1_000_000_000, 1, checkpoint])
    const listed = []
    for await (const record of store.list({ expired: true })) if (record.key === 'shapes') listed.push(record.token)
    assert.deepEqual(listed, [1_000_000_000])
  },
}

function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

async function runAll(): Promise<Report> {
  const report = { passed: 0, skipped: {} as Record<string, string>, failed: {} as Record<string, string> }
  const run = async (id: string, check: () => Promise<void>) => {
    try {
      await check()
      report.passed++
    } catch (error) {
      report.failed[id] = error instanceof Error ? `${error.message}\n${error.stack}` : String(error)
    }
  }
  await migrate({ database: connect() })
  for (const [id, check] of Object.entries(own)) await run(id, check)
  for (const check of checks) {
    const reason = await ruledOut(check, harness)
    if (reason === null) await run(check.id, () => check.run(harness))
    else report.skipped[check.id] = reason
  }
  return report
}

process.stdout.write(`\n${JSON.stringify(await runAll())}\n`)
