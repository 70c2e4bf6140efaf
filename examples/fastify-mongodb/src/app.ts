/** Bookings of seats: the booking, the seat and the answer to the client are committed together. */
import { createIdempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/fastify'
import { mongodbStore } from '@retryproof/mongodb'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Db } from 'mongodb'

interface Show {
  readonly _id: string
  readonly seats: number
}

const schema = {
  body: {
    type: 'object',
    required: ['show', 'seats'],
    properties: { show: { type: 'string' }, seats: { type: 'integer', minimum: 1 } },
  },
  response: { 201: { type: 'object', properties: { id: { type: 'string' }, seats: { type: 'integer' } } } },
}

export function createApp(database: Db): FastifyInstance {
  const idempotency = createIdempotency({
    store: mongodbStore({ collection: database.collection('idempotency') }),
    namespace: 'tickets',
  })
  const app = Fastify()
  // a stand-in for your own authentication
  app.addHook('onRequest', async (request, reply) => {
    if (!request.headers['x-user']) return reply.code(401).send()
  })

  const once = idempotent(
    idempotency,
    { scope: (request) => request.headers['x-user'], transaction: true },
    async (request, reply, { tx: session }) => {
      const { show, seats } = request.body as { show: string; seats: number }
      const taken = await database
        .collection<Show>('shows')
        .updateOne({ _id: show, seats: { $gte: seats } }, { $inc: { seats: -seats } }, { session })
      if (taken.modifiedCount === 0) return reply.code(409).send({ error: 'sold out' })
      const booking = { show, seats, internalNote: 'never leaves: it is not in the response schema' }
      const { insertedId } = await database.collection('bookings').insertOne(booking, { session })
      return reply.code(201).send({ id: insertedId.toString(), ...booking })
    },
  )
  app.post('/bookings', { schema, ...once })
  return app
}
