/** The reader's own program, which the snippets of the texts take as given. */
declare const provider: {
  charge(amount: number, options: { idempotencyKey: string }): Promise<{ id: string }>
  refund(charge: string, options: { idempotencyKey: string }): Promise<{ id: string }>
}
declare const broker: { publish(message: { id: string; order: number }): Promise<string> }
declare const app: import('express').Express
declare const idempotency: import('@retryproof/core').Idempotency
declare const scope: () => string
declare const secret: string
declare function userOf(request: Request): string
declare const request: { method: string; headers: Record<string, string> }
declare const authenticate: import('express').RequestHandler
declare const handler: import('express').RequestHandler
declare const MAX_VALUE_BYTES: number
declare const url: string
declare const host: string
declare const port: number
interface MyRow {
  readonly record: import('@retryproof/core').StoredRecord | null
  readonly lastChange: number
  save(record: import('@retryproof/core').StoredRecord | null): Promise<void>
}
declare const database: {
  withLock<T>(key: string, work: (row: MyRow) => Promise<T>): Promise<T>
  microseconds(): Promise<number>
}
declare function myEnd(store: object): Promise<void>
declare function myStore(options: {
  url?: string
  host?: string
  port?: number
  database?: object
  now?: (() => number) | undefined
}): import('@retryproof/core').IdempotencyStore & { close(): Promise<void> }
/** The members of Prisma's generated client that are used. */
interface PrismaTx {
  readonly order: { create(query: { data: { item: string } }): Promise<{ id: number }> }
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<unknown[]>
}
declare const prisma: { $transaction<T>(work: (tx: PrismaTx) => Promise<T>): Promise<T> }
/** Packages that are not installed here, as far as snippets use them. */
declare module 'opossum' {
  class CircuitBreaker {
    constructor(
      action: <T>(call: () => Promise<T>) => Promise<T>,
      options: { timeout: false; resetTimeout: number; errorFilter: (error: unknown) => boolean },
    )
    fire<T>(call: () => Promise<T>): Promise<T>
  }
  export = CircuitBreaker
}
declare module 'node:sqlite' {
  export class DatabaseSync {
    constructor(path: string)
  }
}
declare module 'bun:sqlite' {
  export class Database {
    constructor(path: string)
  }
}
declare const sql: { unsafe(text: string, values?: never): Promise<readonly unknown[]> }
declare const user: string
declare const fields: { readonly amount: string }
declare const transfers: { make(user: string, fields: object): Promise<{ id: string }> }
declare const res: import('express').Response
