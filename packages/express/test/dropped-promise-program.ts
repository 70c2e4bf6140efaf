/** A process in which a handler on Express 4 rejects: behind a guard, or not. */
import type { AddressInfo } from 'node:net'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { RequestHandler } from 'express'
import express4 from 'express4'
import { idempotent } from '../src/index.ts'

const [form] = process.argv.slice(2)
const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
const guards: RequestHandler[] = form === 'guarded' ? [idempotent(idempotency, { scope: unscoped })] : []
const app = express4().post('/', ...guards, async () => {
  throw new Error('declined')
})
const server = app.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  void fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers: { 'Idempotency-Key': 'k' } })
})
