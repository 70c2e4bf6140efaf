import type { Change } from '@retryproof/core/store'
import type { Check, Clause } from '../check.ts'
import { withStore } from '../harness.ts'
import { createTwin, manualClock, type Twin } from '../model/side-by-side.ts'

export const LEASE_MS = 1_000
export const RETENTION_MS = 60_000

/** A check on one store beside its model, with a clock that the check moves. */
export function twinCheck(
  id: string,
  title: string,
  clauses: readonly Clause[],
  body: (twin: Twin) => Promise<void>,
): Check {
  return {
    id,
    title,
    clauses,
    needs: [],
    run: (harness) => {
      const clock = manualClock()
      return withStore(harness, clock, (store) => body(createTwin(store, clock)))
    },
  }
}

const bytes = (text: string) => new TextEncoder().encode(text)

/** Every transition there is, each with values of its own. */
export const changes: readonly Change[] = [
  { to: 'renew', leaseMs: LEASE_MS },
  { to: 'renew', leaseMs: 9 * LEASE_MS, retentionMs: 9 * RETENTION_MS, checkpoint: { seq: 9, data: bytes('late') } },
  { to: 'completed', result: bytes('another result'), retentionMs: 9 * RETENTION_MS },
  { to: 'failed', result: bytes('another failure'), retentionMs: 9 * RETENTION_MS },
  { to: 'released', delayMs: 0, retentionMs: 9 * RETENTION_MS },
  { to: 'released', delayMs: 9 * LEASE_MS, retentionMs: 9 * RETENTION_MS, unresolved: true },
  { to: 'parked', retentionMs: 9 * RETENTION_MS },
  { to: 'forgotten', tombstoneMs: 9 * RETENTION_MS },
]

/** The situations in which a record can be, as reached from one that is in progress. */
export const situations = {
  'in progress': [],
  'with a checkpoint': [{ to: 'renew', leaseMs: LEASE_MS, checkpoint: { seq: 1, data: bytes('half') } }],
  lapsed: [LEASE_MS],
  released: [{ to: 'released', delayMs: LEASE_MS, retentionMs: RETENTION_MS }],
  'released unresolved': [{ to: 'released', delayMs: LEASE_MS, retentionMs: RETENTION_MS, unresolved: true }],
  due: [{ to: 'released', delayMs: LEASE_MS, retentionMs: RETENTION_MS }, LEASE_MS],
  'released at once': [{ to: 'released', delayMs: 0, retentionMs: RETENTION_MS }],
  parked: [{ to: 'parked', retentionMs: RETENTION_MS }],
  completed: [{ to: 'completed', result: bytes('result'), retentionMs: RETENTION_MS }],
  failed: [{ to: 'failed', result: bytes('failure'), retentionMs: RETENTION_MS }],
  forgotten: [{ to: 'forgotten', tombstoneMs: RETENTION_MS }],
  expired: [LEASE_MS + RETENTION_MS],
} as const satisfies Record<string, readonly (Change | number)[]>

export type Situation = keyof typeof situations

export const allSituations = Object.keys(situations) as readonly Situation[]
export const settled: readonly Situation[] = ['parked', 'completed', 'failed']
export const live = allSituations.filter((situation) => situation !== 'forgotten' && situation !== 'expired')

/** Brings the record of `key` into a situation, as its second attempt, and gives the tokens of both attempts. */
export async function bring(twin: Twin, situation: Situation, key: string): Promise<{ token: number; stale: number }> {
  const claim = { fingerprint: 'fingerprint', leaseMs: LEASE_MS, retentionMs: RETENTION_MS, request: bytes('request') }
  const { token: stale } = await twin.begin({ ...claim, owner: 'first' }, key)
  await twin.transition(stale, { to: 'released', delayMs: 0, retentionMs: RETENTION_MS }, key)
  const { token } = await twin.begin({ ...claim, owner: 'holder' }, key)
  for (const step of situations[situation]) {
    if (typeof step === 'number') twin.advance(step)
    else await twin.transition(token, step, key)
  }
  return { token, stale }
}
