/** Keys that expire and are begun again all the time, while several purge as early as they may. */
import { describe, expect, test, vi } from 'vitest'
import { openBackendOf, targets } from './targets.ts'

const ROUNDS = 60

for (const target of targets) {
  // Redis removes what has expired by itself: there is nothing to call
  if (target.backend === 'redis') continue
  describe.skipIf(target.missing)(`a purge storm on ${target.backend}`, () => {
    const opened = openBackendOf(target)

    test('C-17 no token comes twice, nothing live is lost, and what expired is gone', { timeout: 30_000 }, async () => {
      const { store } = opened.backend()
      const claim = { owner: 'o', fingerprint: 'f', leaseMs: 0, retentionMs: 600_000 }
      const live = await store.begin('storm.live.0', { ...claim, leaseMs: 600_000 })
      let storming = true
      let purged = 0
      async function purge(): Promise<void> {
        while (storming) purged += (await store.purge?.({ limit: 3, graceMs: 0 })) ?? 0
      }
      async function beginAgain(key: string): Promise<number[]> {
        const tokens: number[] = []
        // where each round fits into a millisecond, a purge may find each record in the millisecond of its claim, and leave it
        for (let round = 0; round < ROUNDS || purged === 0; round++) {
          const owner = `${key} ${round}`
          const { outcome, token } = await store.begin(key, { ...claim, owner, retentionMs: 0 })
          expect(outcome).toBe('acquired')
          tokens.push(token)
        }
        return tokens
      }
      const purging = [purge(), purge()]
      const all = await Promise.all(['storm.a.1', 'storm.b.2', 'storm.c.3'].map(beginAgain))
      storming = false
      await Promise.all(purging)
      for (const tokens of all) expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => a - b))
      expect(await store.get('storm.live.0')).toMatchObject({ token: live.token, state: 'in_progress' })
      await vi.waitFor(async () => {
        await store.purge?.({ limit: 10, graceMs: 0 })
        const left: string[] = []
        for await (const { key } of store.list?.({ namespace: 'storm', expired: true }) ?? []) left.push(key)
        expect(left).toEqual(['storm.live.0'])
      })
    })
  })
}
