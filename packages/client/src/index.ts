export {
  ClientError,
  IntentChangedError,
  IntentExpiredError,
  StorageError,
  UnreachableError,
  UnsendableError,
} from './errors.ts'
export { createIdempotentFetch, type IdempotentFetch, type IdempotentInit } from './idempotent-fetch.ts'
export type { FetchOptions, RetryOptions } from './options.ts'
export type { IntentStorage } from './storage.ts'
export { cookieStorage } from './storages/cookie-storage.ts'
export { memoryStorage } from './storages/memory-storage.ts'
export { urlStorage } from './storages/url-storage.ts'
export { webStorage } from './storages/web-storage.ts'
