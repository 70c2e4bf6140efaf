import { type AnyHarness, type AnyStore, withStore } from './harness.ts'

/** The clauses of the store's contract, by their numbers. */
export type Clause = `C${number}`

/** A capability without which a check has nothing to test. */
export type Need =
  | 'purge'
  | 'list'
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

const present: Record<Need, (store: AnyStore, harness: AnyHarness) => boolean> = {
  purge: (store) => store.purge !== undefined,
  list: (store) => store.list !== undefined,
  watch: (store) => store.watch !== undefined,
  transactional: (store) => store.capabilities.transactional !== false,
  "transactional: 'async'": (store) => store.capabilities.transactional === 'async',
  "clock: 'store'": (store) => store.capabilities.clock === 'store',
  maxValueBytes: (store) => store.capabilities.maxValueBytes <= TESTABLE_VALUE_BYTES,
  'harness.unreachable': (_, harness) => harness.unreachable !== undefined,
  'harness.server': (_, harness) => harness.server !== undefined,
}

/** Why a check does not apply to a store: the capability that it lacks. `null` where the check applies. */
export async function ruledOut(check: Check, harness: AnyHarness): Promise<string | null> {
  if (check.needs.length === 0) return null
  return withStore(harness, {}, async (store) => {
    const missing = check.needs.find((need) => !present[need](store, harness))
    return missing ? `not applicable: without ${missing}` : null
  })
}
