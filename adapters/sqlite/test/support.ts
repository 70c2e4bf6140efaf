import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import { migrate, type SqliteStoreOptions, sqliteStore } from '../src/index.ts'

/** The path of a file that is not there yet, in a folder that goes with the test. */
export function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-sqlite-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'records.db')
}

export function open(file: string, options: Database.Options = {}): Database.Database {
  const database = new Database(file, options)
  onTestFinished(() => {
    database.close()
  })
  return database
}

export async function migratedFile(): Promise<string> {
  const file = newFile()
  const database = new Database(file)
  await migrate({ database })
  database.close()
  return file
}

type Options = Omit<SqliteStoreOptions<Database.Database>, 'database' | 'now'>

/** A store on a migrated file of its own, with a clock that stands until it is moved. */
export async function storeAt(startMs: number, options: Options = {}) {
  const file = await migratedFile()
  const database = open(file)
  const clock = { ms: startMs }
  return { clock, database, file, store: sqliteStore({ database, now: () => clock.ms, ...options }) }
}

export const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )
