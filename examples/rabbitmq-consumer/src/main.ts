import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type Broker, prepareDatabase, startBookings } from './bookings.ts'

const RECONNECT_MS = 1000

const broker: Broker = { url: process.env.AMQP_URL ?? 'amqp://localhost', queue: process.env.QUEUE ?? 'orders' }
const pool = new pg.Pool({ connectionString: process.env.POSTGRES_URL ?? 'postgres://localhost/postgres' })
let isStopping = false
let stop = async () => {}
let stopped: Promise<void> | undefined

process.once('SIGTERM', () => {
  isStopping = true
  stopped = stop()
})

await prepareDatabase(pool)
while (!isStopping) {
  try {
    const bookings = await startBookings(pool, broker)
    stop = bookings.end
    if (isStopping) stopped = stop()
    console.log(`booking the orders of '${broker.queue}'`)
    await bookings.closed
  } catch (error) {
    console.error('connecting again:', error)
    await delay(RECONNECT_MS)
  }
}
await stopped
await pool.end()
