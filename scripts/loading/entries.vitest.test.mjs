// For Vitest without any configuration: each entry by `import`, and a retry that is answered from the record.
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { expect, test } from 'vitest'
import { entries } from './entries.json'

test.each(entries)('import %s', async (entry) => {
  expect(Object.keys(await import(/* @vite-ignore */ entry)).length).toBeGreaterThan(0)
})

test('answers a retry from the record', async () => {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'vitest' })
  const call = { operation: 'charge', scope: 'a', key: 'k' }
  await idempotency.run(call, () => ({ id: 1 }))
  expect(await idempotency.run(call, () => ({ id: 2 }))).toMatchObject({ value: { id: 1 }, replayed: true })
})
