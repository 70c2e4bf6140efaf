/** A response that fits into `maxResponseBytes`, but not into the store. */
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { expect, it } from 'vitest'
import { responseSerializer } from '../src/guard/answer/stored-response.ts'

it('is completed, and a replay can tell its status and where the result is', async () => {
  const store = memoryStore()
  const small = { ...store, capabilities: { ...store.capabilities, maxValueBytes: 1000 } }
  const idempotency = createIdempotency({ store: small, namespace: 'n', serializer: responseSerializer })
  const call = { operation: 'export', scope: unscoped, key: 'k' } as const
  const headers = [['Location', '/exports/1']] as const
  await idempotency.run(call, () => ({ status: 201, headers, body: new Uint8Array(2000) }))
  await expect(idempotency.run(call, () => null)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_NOT_REPLAYABLE',
    summary: { status: 201, location: '/exports/1' },
  })
})
