/** The span that an exemplar leads to: the SDK finds it in the context of a measurement. */
import { type Context, trace } from '@opentelemetry/api'
import { expect, test } from 'vitest'
import { instrument, instrumentStore, metrics } from '../src/index.ts'
import { openWorld } from './scenario.ts'
import { openSdk } from './sdk.ts'

test('measurements of an attempt lead to its span, those of a store to the call, and others to the caller', async () => {
  const spanOf = new Map<string, string | undefined>()
  const watched = [metrics.executions, metrics.attemptDuration, metrics.storeDuration, metrics.replays]
  const sdk = openSdk(
    watched.map((instrumentName) => ({
      instrumentName,
      attributesProcessors: [
        {
          process(incoming, context?: Context) {
            spanOf.set(instrumentName, context && trace.getSpanContext(context)?.spanId)
            return incoming
          },
        },
      ],
    })),
  )
  const { idempotency, call } = openWorld((store) => instrumentStore(store, sdk))
  instrument(idempotency, sdk)
  const run = () => idempotency.run(call('k'), () => 'charged')
  await sdk.tracer.startActiveSpan('first', async (span) => run().finally(() => span.end()))
  const attempt = sdk.spans().find(({ name }) => name.startsWith('attempt '))
  const settled = sdk.spans().find(({ name }) => name === 'store transition')
  expect(attempt).toBeDefined()
  expect(spanOf.get(metrics.executions)).toBe(attempt?.spanContext().spanId)
  expect(spanOf.get(metrics.attemptDuration)).toBe(attempt?.spanContext().spanId)
  expect(settled).toBeDefined()
  expect(spanOf.get(metrics.storeDuration)).toBe(settled?.spanContext().spanId)

  const second = await sdk.tracer.startActiveSpan('second', async (span) => {
    await run().finally(() => span.end())
    return span.spanContext().spanId
  })
  expect(spanOf.get(metrics.replays)).toBe(second)
  await sdk.close()
})
