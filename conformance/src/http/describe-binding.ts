import { afterAll, beforeAll, describe, test } from 'vitest'
import { type BindingHarness, type BindingServer, ruledOutFor } from './check.ts'
import { bindingChecks } from './checks.ts'
import { clientOf } from './client.ts'

/** Only a check that hangs needs longer. */
const TIMEOUT_MS = 120_000

/**
 * Declares one Vitest test for each check. One that does not apply is skipped, for the reason that the harness
 * states.
 */
export function describeBinding(name: string, harness: BindingHarness, checks = bindingChecks): void {
  describe(`${name} is a conformant binding`, () => {
    let server: BindingServer | undefined
    beforeAll(async () => {
      server = await harness.start()
    }, TIMEOUT_MS)
    afterAll(() => server?.close())

    for (const check of checks) {
      const peers = check.peers ? ` (${check.peers.join(', ')})` : ''
      test(`${check.id}: ${check.title}${peers}`, { timeout: TIMEOUT_MS, retry: 0 }, async ({ skip }) => {
        const reason = ruledOutFor(check, harness)
        if (reason !== null) skip(reason)
        await check.run(clientOf(server ?? { port: 0 }))
      })
    }
  })
}
