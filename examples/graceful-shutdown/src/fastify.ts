/** Fastify: a handler of SIGTERM drains, closes the application, and ends the pool. */
import { idempotencyPlugin } from '@retryproof/fastify'
import Fastify from 'fastify'
import { charge, drain, endPool, idempotency } from './payments.ts'

const app = Fastify()
await app.register(idempotencyPlugin, { idempotency, scope: () => 'ann' })
app.post('/payments', { config: { idempotent: true } }, async (_request, reply) => reply.code(201).send(await charge()))

const origin = await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
console.log(`listening at ${origin}`)

process.once('SIGTERM', async () => {
  await drain()
  await app.close()
  await endPool()
})
