/** A server in a process of its own: `server.ts <framework> <variant>`. It tells its port, and its CPU time when it is asked. */
import type { AddressInfo } from 'node:net'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { App, Variant } from './apps/app.ts'

const apps: Readonly<Record<string, () => Promise<{ readonly app: App }>>> = {
  express: () => import('./apps/express.ts'),
  fastify: () => import('./apps/fastify.ts'),
  hono: () => import('./apps/hono.ts'),
  koa: () => import('./apps/koa.ts'),
  nest: () => import('./apps/nest.ts'),
}

const [framework = '', kind = ''] = process.argv.slice(2)
const load = apps[framework]
if (!load) throw new Error(`There is no app for '${framework}', only for ${Object.keys(apps).join(', ')}.`)

const { app } = await load()
const server = await app.listen(variantOf(kind))

let last = process.cpuUsage()
process.on('message', () => {
  const { user, system } = process.cpuUsage(last)
  last = process.cpuUsage()
  process.send?.({ user, system })
})
process.on('disconnect', () => process.exit())
process.send?.((server.address() as AddressInfo).port)

function variantOf(name: string): Variant {
  if (name === 'bare' || name === 'floor' || name === 'peer') return { kind: name }
  const store = memoryStore({ maxRecords: 10_000_000 })
  return { kind: 'ours', idempotency: createIdempotency({ store, namespace: 'bench' }) }
}
