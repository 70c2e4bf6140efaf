/** The 202 response of a request that is still in progress. */
import type { HeaderField, HttpResponse } from '../../protocol/exchange.ts'
import { retryAfterSeconds } from '../../protocol/retry-after.ts'

const utf8 = new TextEncoder()

/** Says that the answer will be at `location`. Its body repeats the headers, since CORS hides them from a page of another origin. */
export function pendingResponse(location: string, retryAfterMs: number): HttpResponse {
  const retryAfter = retryAfterSeconds(retryAfterMs)
  const headers: HeaderField[] = [
    ['Content-Type', 'application/json'],
    ['Cache-Control', 'no-store'],
    ['Idempotency-Status', 'pending'],
    ['Location', location],
    ['Retry-After', String(retryAfter)],
  ]
  const body = { status: 'pending', idempotencyStatus: 'pending', location, retryAfter }
  return { status: 202, headers, body: utf8.encode(JSON.stringify(body)) }
}
