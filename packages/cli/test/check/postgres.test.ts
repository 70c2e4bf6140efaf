import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { fresh } from '../stores.ts'
import { type Fault, migrated, onOwnServer, sentences, testServer } from './faults.ts'

await onOwnServer('postgres', {}, (url) => {
  const pool = new pg.Pool({ connectionString: url })
  afterAll(() => pool.end())
  const execute = async (statement: string) => {
    await pool.query(statement)
  }

  const inTable = (name: string, statement: (table: string) => string, expected: RegExp): Fault => ({
    name,
    make: (table) => execute(statement(table)),
    expected,
  })

  /** A setting of the role, which its next connections have. */
  const withSetting = (setting: string, expected: RegExp): Fault => ({
    name: setting,
    make: () => execute(`ALTER ROLE postgres SET ${setting}`),
    undo: () => execute('ALTER ROLE postgres RESET ALL'),
    expected,
  })

  const ofServer = (name: string, expected: RegExp): Fault => ({
    name: `${name} = off`,
    make: async () => {
      await execute(`ALTER SYSTEM SET ${name} = off`)
      await execute('SELECT pg_reload_conf()')
      await expect.poll(async () => (await pool.query(`SHOW ${name}`)).rows[0]?.[name]).toBe('off')
    },
    undo: async () => {
      await execute(`ALTER SYSTEM RESET ${name}`)
      await execute('SELECT pg_reload_conf()')
      await expect.poll(async () => (await pool.query(`SHOW ${name}`)).rows[0]?.[name]).toBe('on')
    },
    expected,
  })

  const role = fresh()
  const without = (privilege: string): Fault => ({
    name: `a role without ${privilege}`,
    make: async (table) => {
      await execute(`CREATE ROLE ${role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${role}`)
      await execute(`REVOKE ${privilege} ON ${table} FROM ${role}`)
      return Object.assign(new URL(url), { username: role }).href
    },
    undo: () => execute(`DROP OWNED BY ${role}; DROP ROLE ${role}`),
    expected: new RegExp(`problem: The user lacks ${privilege} on the table`),
  })

  testServer(url, [
    inTable('an UNLOGGED table', (table) => `ALTER TABLE ${table} SET UNLOGGED`, /problem: .*UNLOGGED/),
    inTable('no index', (table) => `DROP INDEX "${table}_expires"`, /warning: .*no index on its expiry/),
    inTable('no table', (table) => `DROP TABLE ${table}`, /problem: .*does not exist/),
    inTable('a column less', (table) => `ALTER TABLE ${table} DROP COLUMN owner`, /problem: .*another layout/),
    inTable('a column of another type', (table) => `ALTER TABLE ${table} ALTER token TYPE numeric`, /another layout/),
    inTable(
      'another collation',
      (table) => `ALTER TABLE ${table} ALTER k TYPE text COLLATE "en-x-icu"`,
      /another layout/,
    ),
    inTable(
      'the default collation',
      (table) => `ALTER TABLE ${table} ALTER k TYPE text COLLATE "default"`,
      /another layout/,
    ),
    without('SELECT'),
    without('INSERT'),
    without('UPDATE'),
    without('DELETE'),
    withSetting('synchronous_commit = off', /problem: synchronous_commit is off/),
    withSetting('default_transaction_read_only = on', /problem: .*only reads/),
    ofServer('fsync', /problem: fsync is off/),
    ofServer('full_page_writes', /problem: full_page_writes is off/),
  ])
})

await onOwnServer('postgres-replica', {}, (url, [, replica = '']) => {
  test('the replica: it only reads', { timeout: 20_000 }, async () => {
    const table = await migrated(url)
    expect(await sentences(url, table)).toEqual([])
    // the primary waits until the replica has written its log, and not until it shows it
    await expect
      .poll(() => sentences(replica, table), { timeout: 10_000 })
      .toEqual([expect.stringMatching(/problem: The server is a replica/)])
  })
})

await onOwnServer('pgbouncer', {}, (url) => {
  test('PgBouncer in transaction mode', async () => {
    expect(await sentences(url, await migrated(url))).toEqual([expect.stringMatching(/warning: .*transaction mode/)])
  })
})
