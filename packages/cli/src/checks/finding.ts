import { isIdempotencyError } from '@retryproof/core'

/** A fault of a server or a table, and what to do about it. */
export interface Finding {
  /** A `problem` breaks promises of the store; a `warning` weakens one, or a part of it. */
  readonly level: 'problem' | 'warning'
  readonly finding: string
  readonly advice: string
  /** Matches what the server answers to a probe because of this fault, so that one fault is told once. */
  readonly explains?: RegExp
}

export const problem = (finding: string, advice: string, explains?: RegExp): Finding => ({
  level: 'problem',
  finding,
  advice,
  ...(explains && { explains }),
})
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

/** Compares versions by their first two numbers: `10.2.11-MariaDB` is older than `10.5`. */
export function checkVersion(server: string, version: string, oldest: string): Finding[] {
  const [major = 0, minor = 0] = numbersIn(version)
  const [oldestMajor = 0, oldestMinor = 0] = numbersIn(oldest)
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return []
  const finding = `The server is ${server} ${version}, and the store needs ${oldest} or later.`
  // each other refusal of an old server follows from its age
  return [problem(finding, `Upgrade it to ${server} ${oldest} or later.`, /^/)]
}

const numbersIn = (version: string): number[] => version.split(/\D+/).map(Number)

/** Returns a refusal of the server as a finding. Throws an outage on, which is none. */
export function findingOf(error: unknown): Finding {
  if (isIdempotencyError(error, 'IDEMPOTENCY_STORE_MISCONFIGURED')) return problem(...partAdvice(error.message))
  if (!isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')) throw error
  const said = `${error.message} ${String((error.cause as Error | undefined)?.message ?? '')}`
  if (/read.?only/i.test(said))
    return problem(
      `The server or the session only reads: ${error.message}`,
      'Connect to the primary, with a role that may write (default_transaction_read_only = off).',
    )
  if (/denied|permission|not authorized|privilege/i.test(said))
    return problem(error.message, 'Grant SELECT, INSERT, UPDATE and DELETE on the table to the user of the store.')
  if (/^Redis: (NOREPLICAS|MISCONF)/.test(error.message)) return problem(...partAdvice(error.message))
  throw error
}

/** Parts a message of a store from what it says to do: in a last sentence, or after a colon. */
function partAdvice(message: string): [finding: string, advice: string] {
  const [, finding, advice] =
    /^(.*\.) ([^.]*(?:\.[^. ][^.]*)*\.)$/s.exec(message) ?? /^(.*): (run .*)$/s.exec(message) ?? []
  if (finding === undefined || advice === undefined) return [message, 'See docs/choosing-a-store.md.']
  return [finding.replace(/([^.])$/, '$1.'), advice.replace(/^r/, 'R')]
}

/** Returns all findings, without those of the probe that another explains. */
export function together(found: readonly Finding[], probed: readonly Finding[]): Finding[] {
  const unexplained = probed.filter(
    ({ finding, advice }) => !found.some(({ explains }) => explains?.test(`${finding} ${advice}`)),
  )
  return [...new Map([...unexplained, ...found].map((each) => [each.finding, each])).values()]
}

/** Rolls a probe back. */
export class Probed extends Error {}
