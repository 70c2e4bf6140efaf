export {
  attemptOf,
  type FetchHandler,
  type FetchOptions,
  type FetchTransactionHandler,
  idempotent,
  serveStatus,
} from './fetch-handler.ts'
