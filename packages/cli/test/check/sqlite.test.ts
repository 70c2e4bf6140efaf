import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'
import { migrated, sentences } from './faults.ts'

const folder = mkdtempSync(join(tmpdir(), 'retryproof-check-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'records.db')

test.each([
  ['a good one', () => '', []],
  ['no table', (table: string) => `DROP TABLE ${table}`, [/problem: .*missing/]],
  ['another table', (table: string) => `ALTER TABLE ${table} ADD COLUMN more TEXT`, [/problem: .*another layout/]],
  ['no WAL', () => 'PRAGMA journal_mode = DELETE', [/problem: .*journal mode/]],
] as const)('%s', async (_, statement, expected) => {
  const table = await migrated(`sqlite:${file}`)
  const database = new Database(file)
  database.exec(statement(table))
  database.close()
  expect(await sentences(`sqlite:${file}`, table)).toEqual(expected.map((each) => expect.stringMatching(each)))
})
