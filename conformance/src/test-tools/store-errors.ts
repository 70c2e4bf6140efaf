/** Errors of a store, as `toMatchObject` takes them. */
import { expect } from 'vitest'

/** Matches a store that is unavailable, and says so with `message`. */
export function unavailable(applied: 'no' | 'unknown', message: RegExp) {
  return { code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied, message: expect.stringMatching(message) }
}

/** Matches a store that will never work, and says so with `message`. */
export function misconfigured(message: RegExp) {
  return { code: 'IDEMPOTENCY_STORE_MISCONFIGURED', message: expect.stringMatching(message) }
}
