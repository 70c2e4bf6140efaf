/** An order of five steps whose process dies between them: the next attempt takes what is left, and nothing twice. */
import { type Attempt, createIdempotency, type Steps, unscoped } from '@retryproof/core'
import { describe, expect, test } from 'vitest'
import { type Backend, targets } from './backends.ts'
import { POINTS, STEPS, takeOrder } from './order.ts'

const LEASE_MS = 30_000
const call = { operation: 'order', scope: unscoped, key: 'order 1', payload: { item: 7 } } as const

function shop<Tx>(backend: Backend<Tx>) {
  let now = 1_700_000_000_000
  let taken = 0
  /** The charges, at a provider that no transaction reaches. */
  const charges: string[] = []

  /** Takes the steps; at `deathPoint` it waits for ever, as a process that is no more. */
  function process(deathPoint?: number) {
    const { store, insert } = backend.open({ now: () => now })
    const idempotency = createIdempotency({ store, namespace: 'shop', lease: LEASE_MS, retention: '24h' })
    let died = () => {}
    const death = new Promise<void>((resolve) => {
      died = resolve
    })
    const entry = (name: string) => `${String(++taken).padStart(3, '0')} ${name}`

    const order = (attempt: Attempt & Steps<Tx>) =>
      takeOrder(attempt, {
        async reach(point) {
          if (point !== deathPoint) return
          died()
          await new Promise<never>(() => {})
        },
        charge: (name) => void charges.push(entry(name)),
        write: (tx, name) => insert(tx, call.key, entry(name)),
      })
    return { idempotency, death, order }
  }

  return {
    async crash(point: number): Promise<void> {
      const { idempotency, death, order } = process(point)
      // the promise of a process that is no more
      const running = idempotency.run(call, order)
      await Promise.race([death, running])
      expect(await idempotency.drain({ timeout: 0 })).toEqual({ unfinished: 1 })
      now += LEASE_MS + 1
    },
    finish() {
      const { idempotency, order } = process()
      return idempotency.run(call, order)
    },
    effects: async () => [...(await backend.values(call.key)), ...charges].sort().map((line) => line.slice(4)),
  }
}

for (const { title, missing, use } of targets) {
  describe.skipIf(missing)(`an order on ${title}`, { timeout: 60_000 }, () => {
    test.each(POINTS)('abandoned at point %i: each step has its effect once, in order', (point) =>
      use(async (backend) => {
        const { crash, finish, effects } = shop(backend)
        await crash(point)
        expect(await effects()).toEqual(STEPS.slice(0, point))
        expect(await finish()).toMatchObject({ value: STEPS, attempt: 2, replayed: false })
        expect(await effects()).toEqual(STEPS)
        expect(await finish()).toMatchObject({ value: STEPS, replayed: true })
        expect(await effects()).toEqual(STEPS)
      }),
    )

    test('abandoned at every point, one after the other', () =>
      use(async (backend) => {
        const { crash, finish, effects } = shop(backend)
        for (const point of POINTS) await crash(point)
        expect(await finish()).toMatchObject({ value: STEPS, attempt: POINTS.length + 1, replayed: false })
        expect(await effects()).toEqual(STEPS)
      }))
  })
}
