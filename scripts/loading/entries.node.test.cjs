// For node:test: each entry by `require`, and a retry that is answered from the record.
const assert = require('node:assert/strict')
const test = require('node:test')
const { entries } = require('./entries.json')

for (const entry of entries) test(`require(${entry})`, () => assert.ok(Object.keys(require(entry)).length > 0))

test('answers a retry from the record', async () => {
  const { createIdempotency } = require('@retryproof/core')
  const { memoryStore } = require('@retryproof/memory')
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'node' })
  const call = { operation: 'charge', scope: 'a', key: 'k' }
  await idempotency.run(call, () => ({ id: 1 }))
  const { value, replayed } = await idempotency.run(call, () => ({ id: 2 }))
  assert.deepEqual([value, replayed], [{ id: 1 }, true])
})
