/** A store in a file of SQLite, by `better-sqlite3` or `node:sqlite`. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { IdempotencyStore } from '@retryproof/core'
import { CliError, exitCodes } from '../exit-codes.ts'
import { loadModule } from '../target/load-module.ts'
import { named, type OpenedStore, type StoreAddress, statements } from './opened-store.ts'

interface Database {
  close(): void
}
interface Adapter {
  sqliteStore(options: object): IdempotencyStore<never>
  schema(options: object): string[]
  migrate(options: object): Promise<void>
}

const NEEDED = ['@retryproof/sqlite', 'better-sqlite3']

export async function openSqlite({ url, table, cwd }: StoreAddress): Promise<OpenedStore> {
  const adapter = await loadModule<Adapter>(cwd, '@retryproof/sqlite', NEEDED)
  const path = url.replace(/^sqlite:(\/\/)?/i, '')
  if (path === '') throw new CliError('The address names no file, as in sqlite:payments.db.')
  const file = resolve(cwd, path)
  const driver = await loadModule<{ default: new (file: string) => Database }>(cwd, 'better-sqlite3', NEEDED)
  let database: Database | undefined
  const open = () => {
    try {
      database ??= new driver.default(file)
      return database
    } catch (error) {
      throw new CliError(`The file ${file} cannot be opened: ${(error as Error).message}.`, exitCodes.unavailable)
    }
  }
  // a mistyped name must not make an empty file
  const opened = () => {
    if (!existsSync(file)) throw new CliError(`The file ${file} does not exist. Run retryproof migrate to create it.`)
    return open()
  }
  let store: IdempotencyStore<never> | undefined
  return {
    kind: 'sqlite',
    get store() {
      store ??= adapter.sqliteStore({ database: opened(), ...named(table) })
      return store
    },
    schema: () => statements(adapter.schema(named(table))),
    migrate: () => adapter.migrate({ database: open(), ...named(table) }),
    findings: async () => [],
    bytes: async () => statSync(file).size,
    close: async () => database?.close(),
  }
}
