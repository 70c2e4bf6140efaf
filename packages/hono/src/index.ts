export type { IdempotentHandler, TransactionHandler } from './handlers.ts'
export { attemptOf, idempotent } from './idempotent.ts'
export { serveStatus } from './status.ts'
