/** A value that the store has no room for: completed, and summed up where its serializer can do that. */
import { memoryStore } from '@retryproof/memory'
import { expect, test, vi } from 'vitest'
import { createIdempotency, json, type Serializer, unreplayable, unscoped } from '../src/index.ts'

const call = { operation: 'export', scope: unscoped, key: 'k' } as const
const large = { status: 201, body: 'x'.repeat(2000) }

function open(summarize?: Serializer['summarize']) {
  const store = memoryStore()
  const small = { ...store, capabilities: { ...store.capabilities, maxValueBytes: 1000 } }
  const serializer = { ...json(), ...(summarize && { summarize }) }
  return createIdempotency({ store: small, namespace: 'n', serializer })
}

test.each<[string, Serializer['summarize'], unknown]>([
  ['is summed up', (value) => ({ status: (value as typeof large).status }), { status: 201 }],
  ['has no summary where its serializer makes none', undefined, undefined],
  ['has no summary where making one fails', () => JSON.parse('{'), undefined],
  ['has no summary where that is too large too', (value) => value, undefined],
])('it %s, and never runs again', async (_, summarize, summary) => {
  const idempotency = open(summarize)
  expect(await idempotency.run(call, () => large)).toMatchObject({ value: large, recorded: true })
  const handler = vi.fn()
  await expect(idempotency.run(call, handler)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_NOT_REPLAYABLE',
    reason: 'too-large',
    summary,
  })
  expect(handler).not.toHaveBeenCalled()
})

test('a person who resolves a key with it is told, and the key stays parked', async () => {
  const idempotency = open()
  const parking = idempotency.operation(call.operation, { maxAttempts: 1, onTakeover: 'park' })
  const broken = () => parking.run(call, () => Promise.reject(new Error('broken'))).catch(() => undefined)
  await broken()
  await broken()
  await expect(parking.resolve(call, { completed: large })).rejects.toMatchObject({
    code: 'IDEMPOTENCY_INVALID_CALL',
    message: expect.stringMatching(/1000 bytes/),
  })
  expect((await parking.inspect(call))?.state).toBe('parked')
  await parking.resolve(call, { completed: unreplayable(large) })
  expect((await parking.inspect(call))?.state).toBe('completed')
})
