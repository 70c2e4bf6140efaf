/** A small edition of the drill; `npm run drills -- recover` has 500 calls in each mode. */
import { createIdempotency, IdempotencyInvalidStepError, unscoped } from '@retryproof/core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openBackend } from '../src/backends.ts'
import { recoveredModesOf } from '../src/modes.ts'
import { recoverDrill } from '../src/recover-drill.ts'
import { placeAt, type Server, targets } from './targets.ts'

const CALLS = 10

for (const target of targets) {
  describe.skipIf(target.missing)(`recover() on ${target.backend}`, { timeout: 60_000 }, () => {
    let server: Server
    beforeAll(async () => {
      server = await target.open()
    }, 60_000)
    afterAll(() => server.stop())
    const newPlace = () => {
      const { place, close } = placeAt(target.backend, server.url)
      onTestFinished(close)
      return place
    }

    test.for(recoveredModesOf[target.backend])(
      '%s: all that crashed is finished, without its clients',
      async (mode) => {
        const place = newPlace()
        const report = await recoverDrill({ place, mode, calls: CALLS })
        expect(report).toMatchObject({ finished: CALLS, unfinished: 0, missing: 0 })
        // the drill sees what it looks for
        if (mode === 'external') expect(report.duplicates).toBeGreaterThan(0)
        else expect(report.duplicates).toBe(0)
      },
    )

    if (target.backend === 'redis') return
    test('what was done in steps is not done again by a transaction, whoever asks for one', async () => {
      const place = newPlace()
      const backend = await openBackend(place)
      onTestFinished(async () => void (await backend.close()))
      await backend.prepare()
      const policies = { storeRequest: 'plaintext', onFailure: 'store', onInProgress: { wait: '5s' } } as const
      const dying = createIdempotency({ store: backend.store, namespace: 'steps', ...policies, lease: 100 })
      const call = { operation: 'o', scope: unscoped, key: 'k', payload: 1 } as const
      const effect = { key: 'k', value: 'v' }
      await new Promise<void>((resolve, reject) => {
        const crashed = dying.run(call, async (attempt) => {
          await attempt.transaction('pay', (tx) => backend.insert(tx, effect)?.then(() => null))
          resolve()
          return new Promise(() => {})
        })
        crashed.catch(reject)
      })
      await dying.drain({ timeout: 0 })

      const next = createIdempotency({ store: backend.store, namespace: 'steps', ...policies })
      const work = (tx: unknown) => backend.insert(tx, effect)?.then(() => 'again') ?? 'again'
      for (const mode of ['fenced', 'single'] as const) {
        await expect(next.transaction(call, work, { mode })).rejects.toThrow(IdempotencyInvalidStepError)
      }
      const { failed } = await next.operation('o').recover({ authorize: () => true, work: (_, tx) => work(tx) })
      expect(failed).toBe(1)
      expect(await backend.effects()).toEqual([effect])
      // and it is still there to be finished by whoever knows its steps
      const outcome = await next.run(call, async (attempt) => {
        await attempt.transaction('pay', (tx) => backend.insert(tx, effect)?.then(() => null))
        return 'paid'
      })
      expect(outcome).toMatchObject({ value: 'paid', replayed: false })
      expect(await backend.effects()).toEqual([effect])
    })
  })
}
