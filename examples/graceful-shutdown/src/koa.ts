/** Koa: the server that `listen` returns is closed as that of Express. */
import type { AddressInfo } from 'node:net'
import { idempotent } from '@retryproof/koa'
import Koa from 'koa'
import { closeOnSigterm } from './close-on-sigterm.ts'
import { charge, idempotency } from './payments.ts'

const app = new Koa()
app.use(
  idempotent(idempotency, { operation: 'POST /payments', scope: () => 'ann' }, async (ctx) => {
    ctx.status = 201
    ctx.body = await charge()
  }),
)

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening at http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
closeOnSigterm(server)
