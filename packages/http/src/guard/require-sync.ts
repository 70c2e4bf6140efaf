import { IdempotencyInvalidOptionError } from '@retryproof/core'

/** @throws IdempotencyInvalidOptionError for an async function where the answer is needed at once: a promise is always true */
export function requireSync<F>(option: string, callback: F): F {
  if (Object.prototype.toString.call(callback) !== '[object AsyncFunction]') return callback
  throw new IdempotencyInvalidOptionError(option, 'must not be async: its answer is needed at once')
}
