/** A small edition of the drill: some of the points. */
import { describe, expect, test } from 'vitest'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { outboxDrill } from '../src/outbox-drill.ts'

const missing = (await unavailable('postgres')) ?? (await unavailable('rabbitmq'))

describe.skipIf(missing)(
  'C-19 processes that are killed between an order and its message',
  { timeout: 120_000 },
  () => {
    test('no order is without its message, no message without its order, and nothing is done twice', async () => {
      const [postgres, rabbitmq] = await Promise.all([startService('postgres'), startService('rabbitmq')])
      try {
        const placePoints = [4, 8, 12, 16]
        const report = await outboxDrill({
          postgresUrl: postgres.url,
          amqpUrl: rabbitmq.url,
          placePoints,
          recoverPoints: [10],
        })
        expect(report).toMatchObject({ untold: 0, unfounded: 0, orderedTwice: 0, shippedTwice: 0, notShipped: 0 })
        expect(report).toMatchObject({ killedPlacing: placePoints.length, orders: placePoints.length })
        expect(report.messageIds).toBe(report.orders)
      } finally {
        await Promise.all([postgres.stop(), rabbitmq.stop()])
      }
    })
  },
)
