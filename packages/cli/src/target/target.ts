import type { Idempotency, IdempotencyStore } from '@retryproof/core'
import type { Finding } from '../checks/finding.ts'

/** A store as the commands use it. */
export interface Target {
  /** The kind of the store; undefined where a configuration hides it. */
  readonly kind: string | undefined
  /** Undefined where a configuration exports an instance and no store. */
  readonly store: IdempotencyStore<never> | undefined
  /** The instance of a namespace. Without a name: the one that was asked for. */
  instance(namespace?: string): Idempotency
  /** Undefined where every namespace was asked for. */
  readonly namespace: string | undefined
  schema?(): string
  migrate?(): Promise<void>
  /** Findings that the store's own check does not have. */
  findings?(): Promise<readonly Finding[]>
  /** Counts the records that a purge would remove now, where the database does so by an index. */
  readonly expired?: (() => Promise<number>) | undefined
  /** The bytes of the table and its indexes, as the database has them at hand. */
  readonly bytes?: (() => Promise<number>) | undefined
  /** Returns an error that names the cause of one that does not; undefined where there is none to name. */
  readonly explain?: ((error: unknown) => Error | undefined) | undefined
  close(): Promise<void>
}
