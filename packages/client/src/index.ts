export {
  ClientError,
  IntentChangedError,
  IntentExpiredError,
  StorageError,
  UnreachableError,
  UnsendableError,
} from './base/errors.ts'
export { createIdempotentFetch, type IdempotentFetch, type IdempotentInit } from './fetch/idempotent-fetch.ts'
export type { FetchOptions, RetryOptions } from './fetch/options.ts'
export { cookieStorage } from './storages/cookie-storage.ts'
export { memoryStorage } from './storages/memory-storage.ts'
export type { IntentStorage } from './storages/storage.ts'
export { urlStorage } from './storages/url-storage.ts'
export { webStorage } from './storages/web-storage.ts'
