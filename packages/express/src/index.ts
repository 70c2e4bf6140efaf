export { attemptOf, type HandlerContext, type IdempotentHandler, idempotent } from './idempotent.ts'
