import { afterAll, describe, test } from 'vitest'
import { ruledOut } from './store/check.ts'
import { checks } from './store/checks.ts'
import type { AnyStore, StoreHarness } from './store/harness.ts'
import { settings } from './store/tools/settings.ts'

/** Ten minutes: only a check that hangs needs longer. */
const TIMEOUT_MS = 600_000

/** Declares one Vitest test for each check. Skips those that do not apply, and prints the capabilities that rule them out. */
export function describeStore<Store extends AnyStore>(name: string, harness: StoreHarness<unknown, Store>): void {
  describe(`${name} is a conformant store (FC_SEED=${settings.seed})`, () => {
    const skipped = new Map<string, number>()
    afterAll(() => printSkipped(name, skipped))
    for (const check of checks) {
      test(`${check.id}: ${check.title}`, { timeout: TIMEOUT_MS, retry: 0 }, async ({ skip }) => {
        const reason = await ruledOut(check, harness)
        if (reason !== null) {
          skipped.set(reason, (skipped.get(reason) ?? 0) + 1)
          skip(reason)
        }
        await check.run(harness)
      })
    }
  })
}

/** Reporters show a reason only when they are verbose: the sum stands in the output of every run. */
function printSkipped(name: string, skipped: ReadonlyMap<string, number>): void {
  if (skipped.size === 0) return
  const reasons = [...skipped].map(([reason, count]) => `\n  ${count} × ${reason.replace(/^does not apply: /, '')}`)
  // biome-ignore lint/suspicious/noConsole: the output of a test run is for its reader
  console.info(`Checks that do not apply to ${name}:${reasons.join('')}`)
}

export type { OpenOptions, StoreHarness, StoreServer } from './store/harness.ts'
