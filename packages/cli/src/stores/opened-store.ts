import type { IdempotencyStore } from '@retryproof/core'
import type { Finding } from '../checks/finding.ts'

export interface StoreAddress {
  readonly url: string
  /** Table, collection or prefix of keys. */
  readonly table: string | undefined
  readonly cwd: string
  now(): number
}

/** A store that the command opened by its address, and closes again. */
export interface OpenedStore {
  readonly kind: string
  readonly store: IdempotencyStore<never>
  schema(): string
  migrate(): Promise<void>
  findings(): Promise<readonly Finding[]>
  /** Counts the records that a purge would remove now, where the database does so by an index. */
  expired?(): Promise<number>
  /** The bytes of the table and its indexes, as the database has them at hand. */
  bytes?(): Promise<number>
  /** Returns an error that names the cause of one that does not; undefined where there is none to name. */
  explain?(error: unknown): Error | undefined
  close(): Promise<void>
}

export const statements = (texts: readonly string[]): string => texts.map((text) => `${text};\n`).join('\n')

/** The name of a table as an option, where one was given. */
export const named = (table: string | undefined): { table?: string } => (table === undefined ? {} : { table })

/** The name of a table in a statement, with its schema before a dot. */
export const quoted = (mark: '"' | '`', table = 'retryproof'): string =>
  table
    .split('.')
    .map((part) => `${mark}${part}${mark}`)
    .join('.')
