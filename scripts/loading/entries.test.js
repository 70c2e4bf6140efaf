// For Jest without any configuration: CommonJS, and no `require` of ES modules.
const { entries } = require('./entries.json')

test.each(entries)('require(%s)', (entry) => {
  expect(Object.keys(require(entry)).length).toBeGreaterThan(0)
})

test('answers a retry from the record', async () => {
  const { createIdempotency } = require('@retryproof/core')
  const { memoryStore } = require('@retryproof/memory')
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'jest' })
  const call = { operation: 'charge', scope: 'a', key: 'k' }
  await idempotency.run(call, () => ({ id: 1 }))
  await expect(idempotency.run(call, () => ({ id: 2 }))).resolves.toMatchObject({ value: { id: 1 }, replayed: true })
})
