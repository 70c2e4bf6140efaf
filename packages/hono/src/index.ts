export type { IdempotencyEnv, IdempotencyVariables, IdempotentHandler, TransactionHandler } from './handlers.ts'
export { idempotent } from './idempotent.ts'
export { serveStatus } from './status.ts'
