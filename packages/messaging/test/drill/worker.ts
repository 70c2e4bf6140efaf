/** A consumer of a drill, in a process of its own, which is killed sooner or later. */
import { setTimeout as delay } from 'node:timers/promises'
import { openBroker } from './brokers.ts'
import { openEffects } from './effects.ts'
import type { Place } from './place.ts'

const place: Place = JSON.parse(process.argv[2] ?? '')
const broker = await openBroker(place.broker)
const effects = openEffects(place)

class PoisonError extends Error {}

/** Longer than an effect takes, so that some are killed between an effect and its record. */
const linger = () => delay(Math.random() * 20)

const consuming = await broker.consume(
  place,
  effects.idempotency,
  {
    transaction: place.mode === 'transaction',
    lease: '5s',
    // an order that is killed with its consumer again and again is none that fails
    maxAttempts: 10,
    redeliveryDelay: { first: '100ms', max: '1s' },
    onFailure: (error) => (error instanceof PoisonError ? 'store' : 'retry'),
    onError: (error) => process.env.DRILL_VERBOSE && process.stderr.write(`${process.pid} ${String(error)}\n`),
  },
  async ({ id, isPoison }, { tx }) => {
    if (isPoison) throw new PoisonError(id)
    await effects.write(id, tx)
    await linger()
  },
)
process.on('SIGTERM', async () => {
  const { unfinished } = await consuming.drain({ timeout: '20s' })
  await Promise.all([broker.close(), effects.close()])
  process.exit(unfinished === 0 ? 0 : 1)
})
process.stdout.write('ready\n')
await consuming.closed
