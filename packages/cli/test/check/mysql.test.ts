import mysql from 'mysql2/promise'
import { afterAll } from 'vitest'
import { fresh } from '../stores.ts'
import { type Fault, onOwnServer, testServer } from './faults.ts'

const BINLOG = ['--log-bin=binlog', '--server-id=1', '--binlog-format=ROW', '--sync-binlog=1']

await onOwnServer('mariadb', { args: BINLOG }, (url) => {
  const pool = mysql.createPool(url)
  afterAll(() => pool.end())
  const execute = async (statement: string) => {
    await pool.query(statement)
  }

  const inTable = (name: string, statement: (table: string) => string, expected: RegExp): Fault => ({
    name,
    make: (table) => execute(statement(table)),
    expected,
  })

  const withSetting = (name: string, bad: string, good: string, expected: RegExp): Fault => ({
    name: `${name} = ${bad}`,
    make: () => execute(`SET GLOBAL ${name} = ${bad}`),
    undo: () => execute(`SET GLOBAL ${name} = ${good}`),
    expected,
  })

  const user = fresh()
  const without = (privilege: string): Fault => ({
    name: `a user without ${privilege}`,
    make: async (table) => {
      const granted = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'].filter((each) => each !== privilege)
      await execute(`CREATE USER ${user}@'%' IDENTIFIED BY 'p'`)
      await execute(`GRANT ${granted.join(', ')} ON ${table} TO ${user}@'%'`)
      return Object.assign(new URL(url), { username: user, password: 'p' }).href
    },
    undo: () => execute(`DROP USER ${user}@'%'`),
    expected: new RegExp(`problem: The user lacks ${privilege} on the table`),
  })

  testServer(url, [
    inTable('MyISAM', (table) => `ALTER TABLE ${table} ENGINE = MyISAM`, /problem: .*MyISAM/),
    inTable('no table', (table) => `DROP TABLE ${table}`, /problem: .*missing/),
    inTable(
      'no index',
      (table) => `ALTER TABLE ${table} DROP INDEX expires`,
      /warning: .*no index by state and expiry/,
    ),
    inTable('a column less', (table) => `ALTER TABLE ${table} DROP COLUMN owner`, /problem: .*another layout/),
    inTable('another collation', (table) => `ALTER TABLE ${table} MODIFY k VARCHAR(255) NOT NULL`, /another layout/),
    without('SELECT'),
    without('INSERT'),
    without('UPDATE'),
    without('DELETE'),
    withSetting('binlog_format', "'STATEMENT'", "'ROW'", /problem: binlog_format is STATEMENT/),
    withSetting('innodb_flush_log_at_trx_commit', '2', '1', /problem: innodb_flush_log_at_trx_commit is 2/),
    withSetting('sync_binlog', '0', '1', /warning: sync_binlog is 0/),
    withSetting('read_only', '1', '0', /problem: .*only reads/),
    withSetting('max_allowed_packet', '16384', '16777216', /problem: .*packets of 16384 bytes/),
  ])
})
