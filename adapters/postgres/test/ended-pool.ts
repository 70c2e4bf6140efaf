/** A program that ends its pool while a handler runs, and prints what became of the result. */
import { createIdempotency, unscoped } from '@retryproof/core'
import pg from 'pg'
import { migrate, postgresStore } from '../src/index.ts'

const pool = new pg.Pool({ connectionString: process.argv[2] })
await migrate({ pool, table: 'ended' })
const idempotency = createIdempotency({
  store: postgresStore({ pool, table: 'ended' }),
  namespace: 'ended',
  lease: '1s',
})
const unrecorded = new Promise<string>((resolve) => idempotency.on('unrecorded', ({ reason }) => resolve(reason)))
let endedAt = 0
const { recorded } = await idempotency.run({ operation: 'slow', scope: unscoped, key: 'k' }, async () => {
  endedAt = performance.now()
  await pool.end()
})
const reason = await unrecorded
process.on('exit', () => {
  process.stdout.write(JSON.stringify({ recorded, reason, afterMs: performance.now() - endedAt }))
})
