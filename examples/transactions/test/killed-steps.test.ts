/**
 * Orders of five steps whose process is killed (SIGKILL) between them: the next process takes what is left, and nothing
 * twice. One process stands at all six points at once, with an order at each; `drills/steps.ts` has one for each point.
 */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { BackendName } from '../../crash-drill/src/place.ts'
import { targets } from './backends.ts'
import { onPlace } from './killed-orders.ts'
import { POINTS, STEPS } from './order.ts'

const keyAt = (point: number) => `order-${point}`
const orders = <T>(value: (point: number) => T) =>
  Object.fromEntries(POINTS.map((point) => [keyAt(point), value(point)]))

for (const { name, title, missing, url } of targets) {
  describe.skipIf(missing)(`an order on ${title}`, { timeout: 60_000 }, () => {
    test('killed at every point between its steps: each step has its effect once, in order', () => {
      const place = { backend: name as BackendName, url, name: randomBytes(6).toString('hex') }
      return onPlace(place, async ({ process, effects }) => {
        const stood = await process(orders((point) => point))
        expect(stood).toHaveLength(POINTS.length)
        expect(stood).toEqual(expect.arrayContaining(POINTS.map((point) => ({ stands: keyAt(point) }))))
        const expected = orders((point) => STEPS.slice(0, point))
        // nothing was done of the first one
        delete expected[keyAt(0)]
        expect(Object.fromEntries(await effects())).toEqual(expected)

        const finished = await process(orders(() => null))
        const answer = { value: STEPS, attempt: 2, replayed: false }
        expect(finished).toHaveLength(POINTS.length)
        expect(finished).toEqual(expect.arrayContaining(POINTS.map((point) => ({ finished: keyAt(point), ...answer }))))
        expect(Object.fromEntries(await effects())).toEqual(orders(() => STEPS))
      })
    })
  })
}
