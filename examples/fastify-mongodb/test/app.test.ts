import { randomUUID } from 'node:crypto'
import { migrate } from '@retryproof/mongodb'
import type { FastifyInstance } from 'fastify'
import { type Db, MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { service } from '../../../scripts/services.mjs'
import { createApp } from '../src/app.ts'

const mongodb = await service('mongodb')

describe.skipIf(mongodb.missing)(`on ${mongodb.title}`, () => {
  let client: MongoClient
  let database: Db
  let app: FastifyInstance
  let url: string
  beforeAll(async () => {
    client = await new MongoClient(mongodb.url).connect()
    database = client.db(`tickets-${randomUUID()}`)
    await migrate({ collection: database.collection('idempotency') })
    await database.createCollection('bookings')
    await database.collection<{ _id: string; seats: number }>('shows').insertOne({ _id: 'hamlet', seats: 10 })
    app = createApp(database)
    url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/bookings`
  })
  afterAll(async () => {
    await app.close()
    await database.dropDatabase()
    await client.close()
  })

  const book = (key: string, seats: number) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user': 'ann', 'idempotency-key': key },
      body: JSON.stringify({ show: 'hamlet', seats }),
    })
  const seatsLeft = async () => (await database.collection<{ _id: string; seats: number }>('shows').findOne())?.seats

  test('a booking that is sent ten times at once takes its seats once; a replay keeps to the response schema', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => book('b-1', 4)))
    for (const { status } of answers) expect([201, 409]).toContain(status)

    const replay = await book('b-1', 4)
    expect(replay.status).toBe(201)
    expect(replay.headers.get('idempotency-replayed')).toBe('true')
    expect(Object.keys((await replay.json()) as object).sort()).toEqual(['id', 'seats'])
    expect(await seatsLeft()).toBe(6)
    expect(await database.collection('bookings').countDocuments()).toBe(1)
  })

  test('what does not fit is refused, and takes no seat', async () => {
    expect((await book('b-2', 7)).status).toBe(409)
    expect(await seatsLeft()).toBe(6)
  })
})
