/** Requests that `storeRequest` keeps with their records, and finishing them without their clients. */
import { IdempotencyInvalidOptionError, type KeptCall, type Scope } from '@retryproof/core'
import { joinLine, splitLine } from '../../protocol/bytes.ts'
import { type Exchange, type HeaderField, headerValues } from '../../protocol/exchange.ts'
import { Refusal } from '../../protocol/refusal.ts'
import type { ReadBody } from './read-body.ts'

/** A request as it was kept. */
export interface KeptRequest {
  readonly scope: Scope
  readonly key: string
  readonly method: string
  readonly target: string
  /** Those that `storeHeaders` names. */
  readonly headers: readonly HeaderField[]
  readonly body: Uint8Array
}

/**
 * Writes what is kept of a request: a line of JSON, then the body as it is.
 *
 * @throws {@link Refusal} for a body that has no room in the store
 */
export function keepRequest<Native>(
  { method, target, headers }: Exchange<Native>,
  { bytes }: ReadBody,
  names: readonly string[],
  maxBytes: number,
): Uint8Array {
  if (bytes.length > maxBytes) throw new Refusal('body-too-large', `The body must have at most ${maxBytes} bytes.`)
  const kept = names.flatMap((name) => headerValues(headers, name).map((value) => [name, value] as const))
  return joinLine(JSON.stringify({ method, target, headers: kept }), bytes)
}

export function readKept({ scope, key, payload }: KeptCall): KeptRequest {
  try {
    const [line, body] = splitLine(payload as Uint8Array)
    const { method, target, headers } = JSON.parse(line) as Omit<KeptRequest, 'body'>
    return { scope, key, method, target, headers, body }
  } catch {
    throw new IdempotencyInvalidOptionError('storeRequest', 'no request was kept: set it as an option of idempotent')
  }
}
