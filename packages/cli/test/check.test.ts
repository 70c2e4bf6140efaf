/** Servers and schemas that cannot carry the store, each found by `check` with what to do; good ones, of which it says nothing. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { MongoClient } from 'mongodb'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { service, services } from '../../../scripts/services.mjs'
import { exitCodes } from '../src/exit-codes.ts'
import type { CliIo } from '../src/io.ts'
import { fresh, withDatabase } from './stores.ts'
import { done, run } from './terminal.ts'

interface Found {
  readonly exitCode: number
  readonly findings: readonly { readonly level: string; readonly finding: string; readonly advice: string }[]
}

async function check(url: string, table: string, given: Partial<CliIo> = {}): Promise<Found> {
  const { exitCode, out, err } = await run(['check', '--json', '--store', url, '--table', table], given)
  if (!out) throw new Error(`check ended with ${exitCode}: ${err}`)
  return { exitCode, ...(JSON.parse(out) as Pick<Found, 'findings'>) }
}

/** The findings but those about how the servers of tests are set up: fast, and not durable. */
const IN_TESTS = /fsync|synchronous_commit|flush_log|sync_binlog|appendonly/
async function findings(...given: Parameters<typeof check>): Promise<string[]> {
  const { findings: found } = await check(...given)
  for (const { advice } of found) expect(advice.length).toBeGreaterThan(10)
  return found.map(({ finding }) => finding).filter((finding) => !IN_TESTS.test(finding))
}

async function migrated(url: string): Promise<string> {
  const table = fresh()
  await done(['migrate', '--store', url, '--table', table])
  return table
}

const AHEAD = { now: () => Date.now() + 5 * 60_000 }

function testGoodOne(url: string): void {
  test('nothing on a good one; a clock that is off', async () => {
    const table = await migrated(url)
    expect(await findings(url, table)).toEqual([])
    expect(await findings(url, table, AHEAD)).toEqual([expect.stringMatching(/300 s ahead/)])
  })
}

type Fault = readonly [name: string, statement: (table: string) => string, expected: RegExp]

/** Declares a test for each fault, which `execute` makes in a new table. */
function testFaults(url: string, execute: (statement: string) => unknown, faults: readonly Fault[]): void {
  test.each(faults)('%s', async (_, statement, expected) => {
    const table = await migrated(url)
    await execute(statement(table))
    expect((await findings(url, table)).join('\n')).toMatch(expected)
  })
}

const postgres = await service('postgres')
describe.skipIf(postgres.missing)('PostgreSQL', () => {
  const { url } = postgres
  const pool = new pg.Pool({ connectionString: url })
  afterAll(() => pool.end())

  testGoodOne(url)

  testFaults(url, (statement) => pool.query(statement), [
    ['an UNLOGGED table', (table: string) => `ALTER TABLE ${table} SET UNLOGGED`, /UNLOGGED/],
    ['no index', (table: string) => `DROP INDEX "${table}_expires"`, /no index/],
    ['no table', (table: string) => `DROP TABLE ${table}`, /does not exist/],
    ['another table', (table: string) => `ALTER TABLE ${table} DROP COLUMN owner`, /./],
  ])

  test.each(['SELECT', 'INSERT', 'UPDATE', 'DELETE'])('a user without %s', async (privilege) => {
    const table = await migrated(url)
    const role = fresh()
    await pool.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${role}`,
    )
    await pool.query(`REVOKE ${privilege} ON ${table} FROM ${role}`)
    const { exitCode, findings: found } = await check(
      Object.assign(new URL(url), { username: role, password: 'p' }).href,
      table,
    )
    await pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    expect(exitCode).toBe(exitCodes.findings)
    expect(found.map(({ finding }) => finding).join('\n')).toMatch(new RegExp(`lacks ${privilege}|permission denied`))
  })
})

const pgbouncer = await service('pgbouncer')
test.skipIf(pgbouncer.missing)('PgBouncer in transaction mode', async () => {
  const table = await migrated(pgbouncer.url)
  expect(await findings(pgbouncer.url, table)).toEqual([expect.stringMatching(/transaction mode/)])
})

for (const { title, missing, url } of await services('mysql')) {
  describe.skipIf(missing)(title, () => {
    const pool = mysql.createPool(url || 'mysql://127.0.0.1')
    afterAll(() => pool.end())

    testGoodOne(url)

    testFaults(url, (statement) => pool.query(statement), [
      ['MyISAM', (table: string) => `ALTER TABLE ${table} ENGINE = MyISAM`, /MyISAM/],
      ['no table', (table: string) => `DROP TABLE ${table}`, /missing/],
      ['another table', (table: string) => `ALTER TABLE ${table} DROP COLUMN owner`, /another layout/],
    ])
  })
}

const mongodb = await service('mongodb')
describe.skipIf(mongodb.missing)('MongoDB', () => {
  const url = mongodb.missing ? 'mongodb://127.0.0.1' : withDatabase('mongodb', mongodb.url)
  const client = new MongoClient(url)
  afterAll(() => client.close())

  testGoodOne(url)

  test.each([
    ['no collection', async () => undefined, /does not exist/],
    [
      'a capped collection',
      (table: string) => client.db().createCollection(table, { capped: true, size: 1e6 }),
      /capped/,
    ],
    [
      'a collation',
      (table: string) => client.db().createCollection(table, { collation: { locale: 'en' } }),
      /collation/,
    ],
    ['no index', (table: string) => client.db().createCollection(table), /index/],
  ])('%s', async (_, create, expected) => {
    const table = fresh()
    await create(table)
    expect((await findings(url, table)).join('\n')).toMatch(expected)
  })
})

describe('SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-check-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const url = `sqlite:${join(folder, 'records.db')}`
  function execute(statement: string): void {
    const database = new Database(join(folder, 'records.db'))
    database.exec(statement)
    database.close()
  }

  testFaults(url, execute, [
    ['a good one', () => '', /^$/],
    ['no table', (table: string) => `DROP TABLE ${table}`, /missing/],
    ['another table', (table: string) => `ALTER TABLE ${table} ADD COLUMN more TEXT`, /another layout/],
    ['no WAL', () => 'PRAGMA journal_mode = DELETE', /journal mode/],
  ])
})
