import type { RecordView } from '@retryproof/core'
import type { Reply } from './command.ts'

/** The most that two clocks may drift apart while a history lasts, in milliseconds. */
export const DRIFT_MS = 1_000

/**
 * Returns the known real tokens (one for each of the model's, 0 where none was shown) once a call was answered so, or
 * null where the answer is not the model's. Of its durations as much may be over as the history had lasted.
 */
export function match(
  expected: Reply,
  actual: Reply,
  tokens: readonly number[],
  elapsedMs: number,
): readonly number[] | null {
  if (kindOf(expected) !== kindOf(actual)) return null
  const [wanted, given] = [viewIn(expected), viewIn(actual)]
  if (!wanted || !given) return wanted === given ? tokens : null
  const fits =
    given.state === wanted.state &&
    given.fingerprint === wanted.fingerprint &&
    given.attempt === wanted.attempt &&
    given.interrupted === wanted.interrupted &&
    isLeft(given.leaseRemainingMs, wanted.leaseRemainingMs, elapsedMs) &&
    isLeft(given.retentionRemainingMs, wanted.retentionRemainingMs, elapsedMs) &&
    isSame(given.request, wanted.request) &&
    isSame(given.result, wanted.result) &&
    given.checkpoint?.seq === wanted.checkpoint?.seq &&
    isSame(given.checkpoint?.data, wanted.checkpoint?.data)
  return fits ? bind(tokens, wanted.token, given.token) : null
}

function kindOf(reply: Reply): string {
  if (reply === null || typeof reply !== 'object') return String(reply)
  if (!('outcome' in reply)) return 'record'
  return reply.outcome === 'ok' ? `ok, applied: ${reply.applied}` : reply.outcome
}

function viewIn(reply: Reply): RecordView | null {
  if (reply === null || !('outcome' in reply)) return reply
  if (reply.outcome === 'ok') return null
  return reply.outcome === 'lost' ? reply.current : reply
}

function isLeft(actualMs: number, fullMs: number, elapsedMs: number): boolean {
  return actualMs <= fullMs && actualMs >= Math.max(0, fullMs - elapsedMs - DRIFT_MS)
}

function isSame(one: Uint8Array | null | undefined, other: Uint8Array | null | undefined): boolean {
  return one && other ? Buffer.compare(one, other) === 0 : one === other
}

/** If the model's token is a number, the real one has one place in an order that rises. */
function bind(tokens: readonly number[], modelToken: number, token: number): readonly number[] | null {
  const index = modelToken - 1
  if (tokens[index] === token) return tokens
  if (tokens[index] !== 0) return null
  const rises = tokens.every((other, at) => other === 0 || (at < index ? other < token : at === index || other > token))
  return rises ? tokens.with(index, token) : null
}
