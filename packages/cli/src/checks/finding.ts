import { isIdempotencyError } from '@retryproof/core'

/** A fault of a server or a table, and what to do about it. */
export interface Finding {
  /** A `problem` breaks promises of the store; a `warning` weakens one, or a part of it. */
  readonly level: 'problem' | 'warning'
  readonly finding: string
  readonly advice: string
}

export const problem = (finding: string, advice: string): Finding => ({ level: 'problem', finding, advice })
export const warning = (finding: string, advice: string): Finding => ({ level: 'warning', finding, advice })

/** The most that clocks may differ: a purge waits so long, and tokens of purged records stay below new ones. */
const CLOCK_TOLERANCE_MS = 60_000

export function checkClock(serverMs: number, hostMs: number): Finding[] {
  const apart = Math.round((hostMs - serverMs) / 1000)
  if (Math.abs(hostMs - serverMs) <= CLOCK_TOLERANCE_MS) return []
  return [
    warning(
      `The clock of this machine is ${Math.abs(apart)} s ${apart > 0 ? 'ahead of' : 'behind'} the server.`,
      'Run a time service (NTP) on both. One-time tokens and caches are judged by the clock of the machine.',
    ),
  ]
}

/** Returns the message of an error of the store as a finding. Throws an outage on, which is none. */
export function findingOf(error: unknown): Finding {
  if (isIdempotencyError(error, 'IDEMPOTENCY_STORE_MISCONFIGURED'))
    return problem(error.message, adviceIn(error.message))
  throw error
}

/** The messages of the stores end with what to do. */
function adviceIn(message: string): string {
  const sentences = message.split(/(?<=[.:]) /)
  return sentences.length > 1 ? (sentences.at(-1) ?? '') : 'See docs/choosing-a-store.md.'
}

/** Rolls a probe back. */
export class Probed extends Error {}
