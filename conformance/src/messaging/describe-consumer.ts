import { describe, test } from 'vitest'
import { type ConsumerHarness, consumerRuledOut } from './check.ts'
import { consumerChecks } from './checks.ts'
import { openBench } from './consumer-harness.ts'

/** Only a check that hangs needs longer. */
const TIMEOUT_MS = 120_000

/** Declares one Vitest test for each check; they run at once, since most of their time is waiting. One that does not apply is skipped, for the reason that the harness states. */
export function describeConsumer(name: string, harness: ConsumerHarness): void {
  describe.concurrent(`${name} is a conformant consumer`, () => {
    for (const check of consumerChecks) {
      test(`${check.id}: ${check.title}`, { timeout: TIMEOUT_MS, retry: 0 }, async ({ skip }) => {
        const reason = consumerRuledOut(check, harness)
        if (reason !== null) skip(reason)
        const bench = await openBench(harness)
        try {
          await check.run(bench)
        } finally {
          await bench.close()
        }
      })
    }
  })
}
