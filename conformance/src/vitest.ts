import { describe, test } from 'vitest'
import { ruledOut } from './store/check.ts'
import { checks } from './store/checks.ts'
import type { AnyStore, StoreHarness } from './store/harness.ts'
import { settings } from './store/tools/settings.ts'

/** Ten minutes: only a check that hangs needs longer. */
const TIMEOUT_MS = 600_000

/** Declares one Vitest test for each check. One that does not apply is skipped, with the capability that rules it out. */
export function describeStore<Store extends AnyStore>(name: string, harness: StoreHarness<unknown, Store>): void {
  describe(`${name} is a conformant store (FC_SEED=${settings.seed})`, () => {
    for (const check of checks) {
      test(`${check.id}: ${check.title}`, { timeout: TIMEOUT_MS, retry: 0 }, async ({ skip }) => {
        const reason = await ruledOut(check, harness)
        if (reason !== null) skip(reason)
        await check.run(harness)
      })
    }
  })
}

export type { OpenOptions, StoreHarness, StoreServer } from './store/harness.ts'
