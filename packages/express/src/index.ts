export { attemptOf, type IdempotentHandler, idempotent, type TransactionHandler } from './idempotent.ts'
export { serveStatus } from './status.ts'
