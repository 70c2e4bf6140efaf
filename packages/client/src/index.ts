export type { Duration } from './base/duration.ts'
export {
  IntentChangedError,
  IntentError,
  type IntentErrorCode,
  IntentExpiredError,
  IntentStorageError,
  IntentUnreachableError,
  IntentUnsendableError,
  isIntentError,
} from './base/errors.ts'
export { createIdempotentFetch, type IdempotentFetch, type IdempotentInit } from './fetch/idempotent-fetch.ts'
export type { FetchOptions, RetryOptions } from './fetch/options.ts'
export type { Verdict, VerdictOption } from './fetch/response-verdict.ts'
export { cookieStorage } from './storages/cookie-storage.ts'
export { memoryStorage } from './storages/memory-storage.ts'
export type { IntentStorage } from './storages/storage.ts'
export { urlStorage } from './storages/url-storage.ts'
export { webStorage } from './storages/web-storage.ts'
