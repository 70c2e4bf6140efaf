export { headerFields } from './protocol/exchange.ts'
export {
  attemptOf,
  type FetchHandler,
  type FetchOptions,
  type FetchTransactionHandler,
  idempotent,
  serveStatus,
} from './server/fetch/handler.ts'
export {
  type HeldResponse,
  type Holding,
  holdResponse,
  toldResponse,
  toResponse,
} from './server/fetch/held-response.ts'
export { readUpTo } from './server/fetch/request-body.ts'
