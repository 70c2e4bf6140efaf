/** A server in a process of its own: `server.ts <framework> <variant>`. It tells its port, and its CPU time when it is asked. */
import type { AddressInfo } from 'node:net'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { App, Variant } from './apps/app.ts'
import { app as express } from './apps/express.ts'
import { app as hono } from './apps/hono.ts'

const apps: Readonly<Record<string, App>> = { express, hono }

const [framework = '', kind = ''] = process.argv.slice(2)
const app = apps[framework]
if (!app) throw new Error(`There is no app for '${framework}', only for ${Object.keys(apps).join(', ')}.`)

const server = await app.listen(variantOf(kind))

let last = process.cpuUsage()
process.on('message', () => {
  const { user, system } = process.cpuUsage(last)
  last = process.cpuUsage()
  process.send?.({ user, system })
})
process.send?.((server.address() as AddressInfo).port)

function variantOf(name: string): Variant {
  if (name === 'bare' || name === 'floor') return { kind: name }
  const store = memoryStore({ maxRecords: 10_000_000 })
  return { kind: 'guarded', idempotency: createIdempotency({ store, namespace: 'bench' }) }
}
