export { headerFields, type SentHeaders } from './protocol/exchange.ts'
export {
  attemptOf,
  type FetchHandler,
  type FetchOptions,
  type FetchTransactionHandler,
  idempotent,
  serveStatus,
} from './server/fetch/handler.ts'
export type { MadeBody } from './server/fetch/held-response.ts'
export { keepBody, requestBody } from './server/fetch/request-body.ts'
export { type FetchEnd, type FetchServer, serveFetch, servePassing } from './server/fetch/serve.ts'
export { toldResponse, toResponse } from './server/fetch/to-response.ts'
