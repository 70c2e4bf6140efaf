/** Consumers that each do one thing wrong: a check of the suite, which is named here, must reject each of them. */
import { type ConsumerHarness, consumerChecks, openBench, type TestQueue } from '@retryproof/conformance/messaging'
import type { Idempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { ConfirmChannel } from 'amqplib'
import { describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { openPostgres } from './postgres.ts'
import { openRabbitQueue } from './rabbitmq-queue.ts'

type Consume = TestQueue['consume']
type Options = Parameters<Consume>[1]

interface Broken {
  readonly name: string
  readonly rejectedBy: string
  break?(consume: Consume): Consume
  /** The channel that the consumer is given instead of its own. */
  change?(channel: ConfirmChannel): ConfirmChannel
}

/** A channel of which some methods are others. */
const channelWith = (channel: ConfirmChannel, methods: Partial<ConfirmChannel>): ConfirmChannel =>
  new Proxy(channel, {
    get(target, name) {
      const own = Reflect.get(methods, name) ?? Reflect.get(target, name)
      return typeof own === 'function' ? own.bind(target) : own
    },
  })

const rabbitmq = await service('rabbitmq')
const store = (await openPostgres()) ?? memoryStore()

const withOptions =
  (change: (options: Options) => Partial<Record<keyof Options, unknown>>) =>
  (consume: Consume): Consume =>
  (idempotency, options, handler) =>
    consume(idempotency, { ...options, ...change(options) } as Options, handler)

/** Reports the outcome of an attempt as `change` has it. */
const withOutcomes =
  (change: { recorded?: boolean; replayed?: boolean }) =>
  (consume: Consume): Consume =>
  (idempotency, options, handler) => {
    const changed: Idempotency<unknown> = {
      ...idempotency,
      operation(name, policies) {
        const operation = idempotency.operation(name, policies)
        return {
          ...operation,
          run: async (...args) => ({ ...(await operation.run(...args)), ...change }),
        }
      },
    }
    return consume(changed, options, handler)
  }

/** Does `act` in the place of each error of the handler. */
const afterErrors =
  (act: () => unknown) =>
  (consume: Consume): Consume =>
  (idempotency, options, handler) =>
    consume(idempotency, options, async (...args) => {
      try {
        return await handler(...args)
      } catch {
        return act()
      }
    })

let unique = 0

const gallery: readonly Broken[] = [
  {
    name: 'takes each delivery for another message',
    rejectedBy: 'handles-each',
    break: withOptions(() => ({ id: () => `delivery ${++unique}` })),
  },
  {
    name: 'has one group for all',
    rejectedBy: 'groups',
    break: withOptions(() => ({ operation: 'all' })),
  },
  { name: 'has one scope for all', rejectedBy: 'scopes', break: withOptions(() => ({ scope: 'all' })) },
  { name: 'looks at no payload', rejectedBy: 'key-reused', break: withOptions(() => ({ payload: () => 'same' })) },
  {
    name: 'cuts long ids short',
    rejectedBy: 'long-id',
    break: withOptions(({ id }) => ({
      id: async (body: unknown, message: never) => (await id?.(body, message))?.slice(0, 255),
    })),
  },
  { name: 'has an id for what has none', rejectedBy: 'no-id', break: withOptions(() => ({ id: () => 'an id' })) },
  {
    name: 'reads what does not parse',
    rejectedBy: 'unreadable',
    break: withOptions(() => ({ parse: () => ({ id: `unparsed ${++unique}` }) })),
  },
  {
    name: 'never gives up',
    rejectedBy: 'poison',
    break: withOptions(() => ({ maxAttempts: Number.POSITIVE_INFINITY })),
  },
  { name: 'gives up at once', rejectedBy: 'fails-then-succeeds', break: withOptions(() => ({ maxAttempts: 1 })) },
  {
    name: 'takes every failure for a passing one',
    rejectedBy: 'final-failure',
    break: withOptions(() => ({ onFailure: 'retry' })),
  },
  {
    name: 'believes no retention to be too short',
    rejectedBy: 'retention',
    break: withOptions(() => ({ redeliveryWindow: 1 })),
  },
  { name: 'has no transaction', rejectedBy: 'transaction', break: withOptions(() => ({ transaction: false })) },
  { name: 'acknowledges what is not recorded', rejectedBy: 'unrecorded', break: withOutcomes({ recorded: true }) },
  {
    name: 'does not wait when it is drained',
    rejectedBy: 'drain-timeout',
    break: (consume) => async (idempotency, options, handler) => {
      const consuming = await consume(idempotency, options, handler)
      return { ...consuming, drain: async () => ({ unfinished: 0 }) }
    },
  },
  {
    name: 'acknowledges what it receives',
    rejectedBy: 'cut',
    change: (channel) =>
      channelWith(channel, {
        consume: (queue, onMessage) => channel.consume(queue, onMessage, { noAck: true }),
        ack: () => {},
      }),
  },
  {
    name: 'never acknowledges',
    rejectedBy: 'acknowledges',
    change: (channel) => channelWith(channel, { ack: () => {} }),
  },
  {
    name: 'takes a dead letter for published that is not',
    rejectedBy: 'poison',
    change: (channel) =>
      channelWith(channel, {
        publish(_exchange, _key, _content, _options, confirmed) {
          confirmed?.(null, {})
          return true
        },
      }),
  },
  {
    name: 'keeps the reason of a dead letter to itself',
    rejectedBy: 'redriven',
    change: (channel) =>
      channelWith(channel, {
        publish: (exchange, key, content, options, confirmed) =>
          channel.publish(exchange, key, content, { ...options, headers: {} }, confirmed),
      }),
  },
  {
    name: 'takes the promise of a body for the body',
    rejectedBy: 'async-parse',
    break: withOptions(({ parse }) => ({
      parse: (bytes: Uint8Array, message: never) => ({ id: 'x', body: quiet(parse?.(bytes, message)) }),
    })),
  },
  {
    name: 'takes any id for a text',
    rejectedBy: 'numeric-id',
    break: withOptions(({ id }) => ({
      id: async (body: unknown, message: never) => String(await id?.(body, message)),
    })),
  },
  {
    name: 'counts no rounds of dead letters',
    rejectedBy: 'rounds',
    change: (channel) =>
      channelWith(channel, {
        publish(exchange, key, content, options, confirmed) {
          const headers = { ...options?.headers, 'retryproof-round': '1' }
          return channel.publish(exchange, key, content, { ...options, headers }, confirmed)
        },
      }),
  },
  { name: 'waits for handlers that hang', rejectedBy: 'hangs', break: withOptions(() => ({ maxRun: '15m' })) },
  { name: 'never gives up what hangs', rejectedBy: 'hangs-always', break: withOptions(() => ({ maxAttempts: 100 })) },
  { name: 'takes a release for a lost record', rejectedBy: 'released', break: withOutcomes({ recorded: true }) },
  {
    name: 'takes what a handler calls terminal for a passing failure',
    rejectedBy: 'terminal',
    break: afterErrors(() => {
      throw new Error('a plain one')
    }),
  },
  {
    name: 'takes the error of a nested call for its own',
    rejectedBy: 'nested-error',
    break: afterErrors(() => undefined),
  },
  {
    name: 'loses the name of a header',
    rejectedBy: 'hostile-headers',
    change: (channel) =>
      channelWith(channel, {
        publish(exchange, key, content, options, confirmed) {
          const headers = { ...options?.headers, 'retryproof-reason': 'x' }
          return channel.publish(exchange, key, content, { ...options, headers }, confirmed)
        },
      }),
  },
  {
    name: 'takes a throw of what is no error for a success',
    rejectedBy: 'odd-throws-an-object-without-a-prototype',
    break: afterErrors(() => undefined),
  },
]

/** A rejection that nobody waits for. */
function quiet(value: unknown): unknown {
  Promise.resolve(value).catch(() => {})
  return value
}

describe.skipIf(rabbitmq.missing).concurrent(`on ${rabbitmq.title}`, () => {
  for (const { name, rejectedBy, break: breaks, change } of gallery) {
    test(`a consumer that ${name} is rejected by ${rejectedBy}`, { timeout: 60_000 }, async () => {
      const harness: ConsumerHarness = {
        async open() {
          const queue = await openRabbitQueue(rabbitmq.url, 'classic', change)
          return { ...queue, consume: breaks?.(queue.consume) ?? queue.consume }
        },
        store,
        patienceMs: 3000,
      }
      const bench = await openBench(harness)
      const check = consumerChecks.find(({ id }) => id === rejectedBy)
      await expect(Promise.resolve(check?.run(bench))).rejects.toThrow()
      await bench.close()
    })
  }
})
