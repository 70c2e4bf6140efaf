export { attemptOf, type IdempotentHandler, idempotent, serveStatus, type TransactionHandler } from './idempotent.ts'
