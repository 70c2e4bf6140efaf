/** A consumer of a drill, in a process of its own, which is killed sooner or later. */
import { setTimeout as delay } from 'node:timers/promises'
import { IdempotencyKeyReusedError, release, terminal } from '@retryproof/core'
import { openBroker } from './brokers.ts'
import { openEffects } from './effects.ts'
import type { Order, Place } from './place.ts'

const place: Place = JSON.parse(process.argv[2] ?? '')
const broker = await openBroker(place.broker)
const effects = openEffects(place)

class PoisonError extends Error {}

/** Longer than an effect takes, so that some are killed between an effect and its record. */
const linger = () => delay(Math.random() * 20)

const hostile = {
  maxRun: '2s',
  lease: '2s',
  // a payload that does not parse, or parses to a text, throws a value that cannot be printed
  async parse(bytes: Uint8Array): Promise<Order> {
    const body: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof body === 'string') throw Object.create(null)
    return body as Order
  },
  id: ({ id }: Order) => id,
} as const

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
    ...(place.hostile && hostile),
  },
  async ({ id, isPoison, kind }, { tx, attempt }) => {
    if (kind !== undefined) {
      const released = await misbehave(kind, attempt.number)
      if (released) return released
    }
    if (isPoison) throw new PoisonError(id)
    await effects.write(id, tx)
    await linger()
    return undefined
  },
)

/** Does what the kind of a hostile order says. */
async function misbehave(kind: string, attempt: number): Promise<unknown> {
  if (kind === 'odd' || (kind === 'odd-once' && attempt === 1)) throw Object.create(null)
  if (kind === 'terminal') throw terminal(new Error('terminal'))
  if (kind === 'fails-once' && attempt === 1) throw new Error('not yet')
  if (kind === 'released-once' && attempt === 1) return release('not now', { delay: '200ms' })
  // past `maxRun` another attempt has the message; what this one writes after that must not commit
  if (kind === 'hangs-once' && attempt === 1) await delay(6000)
  if (kind === 'reused') throw new PoisonError('reused', { cause: new IdempotencyKeyReusedError() })
  return undefined
}

process.on('SIGTERM', async () => {
  const { unfinished } = await consuming.drain({ timeout: '20s' })
  await Promise.all([broker.close(), effects.close()])
  process.exit(unfinished === 0 ? 0 : 1)
})
process.stdout.write('ready\n')
await consuming.closed
