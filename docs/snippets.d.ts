/** What the snippets of the texts take as given: the reader's own program. */
declare const provider: {
  charge(amount: number, options: { idempotencyKey: string }): Promise<{ id: string }>
  refund(charge: string, options: { idempotencyKey: string }): Promise<{ id: string }>
}
declare const app: import('express').Express
declare const idempotency: import('@retryproof/core').Idempotency
declare const scope: () => string
declare const url: string
declare const host: string
declare const port: number
declare const database: object
declare function myStore(options: {
  url?: string
  host?: string
  port?: number
  database?: object
  now?: () => number
}): import('@retryproof/core').IdempotencyStore & { close(): Promise<void> }
