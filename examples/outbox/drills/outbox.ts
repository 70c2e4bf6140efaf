/** Kills at every point, with servers of its own: `node --import tsx examples/outbox/drills/outbox.ts`. */
import { startService } from '../../../scripts/services.mjs'
import { outboxDrill } from '../src/outbox-drill.ts'

const [postgres, rabbitmq] = [await startService('postgres'), await startService('rabbitmq')]
try {
  const report = await outboxDrill({ postgresUrl: postgres.url, amqpUrl: rabbitmq.url })
  process.stdout.write(`${JSON.stringify(report)}\n`)
  const { untold, unfounded, orderedTwice, shippedTwice, notShipped } = report
  if (untold + unfounded + orderedTwice + shippedTwice + notShipped > 0) process.exitCode = 1
} finally {
  await postgres.stop()
  await rabbitmq.stop()
}
