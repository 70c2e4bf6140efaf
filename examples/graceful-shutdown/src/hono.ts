/** Hono on Node: the server that `serve` returns is closed as that of Express. */
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { idempotent } from '@retryproof/hono'
import { Hono } from 'hono'
import { closeOnSigterm } from './close-on-sigterm.ts'
import { charge, idempotency } from './payments.ts'

const app = new Hono()
app.post('/payments', idempotent(idempotency, { scope: () => 'ann' }), async (c) => c.json(await charge(), 201))

const port = Number(process.env.PORT ?? 3000)
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, (address) => {
  console.log(`listening at http://127.0.0.1:${address.port}`)
})
closeOnSigterm(server as Server)
