import { type AnyHarness, type AnyStore, withStore } from './harness.ts'

/** The clauses of the store's contract, by their numbers. */
export type Clause = `C${number}`

/** A capability without which a check has nothing to test. */
export type Need =
  | 'purge'
  | 'list'
  | 'count'
  | 'watch'
  | 'transactional'
  | "transactional: 'async'"
  | "clock: 'store'"
  | 'maxValueBytes'
  | 'harness.unreachable'
  | 'harness.server'

/** One test of a store, for any test runner: `run` resolves, or throws an `AssertionError` that says what went wrong. */
export interface Check {
  readonly id: string
  readonly title: string
  /** The clauses that a store breaks if it fails this check. */
  readonly clauses: readonly Clause[]
  readonly needs: readonly Need[]
  run(harness: AnyHarness): Promise<void>
}

/** A limit that can be tested: beyond it, the value alone would fill a machine's memory. */
export const TESTABLE_VALUE_BYTES = 64 * 1024 * 1024

const requirements: Record<Need, { met(store: AnyStore, harness: AnyHarness): boolean; otherwise: string }> = {
  purge: { met: (store) => store.purge !== undefined, otherwise: 'the store has no purge' },
  list: { met: (store) => store.list !== undefined, otherwise: 'the store has no list' },
  count: { met: (store) => store.count !== undefined, otherwise: 'the store has no count: callers count a listing' },
  watch: { met: (store) => store.watch !== undefined, otherwise: 'the store has no watch' },
  transactional: {
    met: (store) => store.capabilities.transactional !== false,
    otherwise: 'capabilities.transactional is false',
  },
  "transactional: 'async'": {
    met: (store) => store.capabilities.transactional === 'async',
    otherwise: "capabilities.transactional is not 'async'",
  },
  "clock: 'store'": {
    met: (store) => store.capabilities.clock === 'store',
    otherwise: "capabilities.clock is 'host'",
  },
  maxValueBytes: {
    met: (store) => store.capabilities.maxValueBytes <= TESTABLE_VALUE_BYTES,
    otherwise: `capabilities.maxValueBytes is above ${TESTABLE_VALUE_BYTES}`,
  },
  'harness.unreachable': {
    met: (_, harness) => harness.unreachable !== undefined,
    otherwise: 'the harness has no `unreachable`',
  },
  'harness.server': { met: (_, harness) => harness.server !== undefined, otherwise: 'the harness has no `server`' },
}

/** Why a check does not apply to a store: the capability that it lacks. `null` where the check applies. */
export async function ruledOut(check: Check, harness: AnyHarness): Promise<string | null> {
  if (check.needs.length === 0) return null
  return withStore(harness, {}, async (store) => {
    const missing = check.needs.find((need) => !requirements[need].met(store, harness))
    return missing ? `does not apply: ${requirements[missing].otherwise}` : null
  })
}
