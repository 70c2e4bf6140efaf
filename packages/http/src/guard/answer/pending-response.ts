/** The 202 response of a request that is still in progress. */
import type { HeaderField, HttpResponse } from '../../protocol/exchange.ts'

const body = new TextEncoder().encode(JSON.stringify({ status: 'pending' }))

/** Accepted, and not done yet: the answer will be at `location`. */
export function pendingResponse(location: string, retryAfterMs: number): HttpResponse {
  const headers: HeaderField[] = [
    ['Content-Type', 'application/json'],
    ['Cache-Control', 'no-store'],
    ['Idempotency-Status', 'pending'],
    ['Location', location],
    ['Retry-After', String(Math.ceil(retryAfterMs / 1000))],
  ]
  return { status: 202, headers, body }
}
