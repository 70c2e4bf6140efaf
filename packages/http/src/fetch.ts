export { headerFields } from './exchange.ts'
export {
  attemptOf,
  type FetchHandler,
  type FetchOptions,
  type FetchTransactionHandler,
  idempotent,
  serveStatus,
} from './fetch-handler.ts'
export { readUpTo } from './fetch-request.ts'
export { type HeldResponse, type Holding, holdResponse, toldResponse, toResponse } from './fetch-response.ts'
