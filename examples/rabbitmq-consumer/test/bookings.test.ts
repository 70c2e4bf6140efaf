/** Two processes; one is killed at work, the broker is killed and started again, and every order is sent three times. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect } from 'amqplib'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { deadLettersOf, prepareQueues } from '../src/bookings.ts'

const ORDERS = 300
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const missing = (await unavailable('rabbitmq')) ?? (await unavailable('postgres'))

test.skipIf(missing)('each order is booked once', { timeout: 120_000 }, async () => {
  const [rabbitmq, postgres] = await Promise.all([
    startService('rabbitmq', { durable: true }),
    startService('postgres'),
  ])
  const broker = { url: rabbitmq.url, queue: `orders-${randomBytes(4).toString('hex')}` }
  const env = { ...process.env, AMQP_URL: broker.url, POSTGRES_URL: postgres.url, QUEUE: broker.queue }
  const pool = new pg.Pool({ connectionString: postgres.url })
  const bookings = async () => (await pool.query<{ order_id: string }>('SELECT order_id FROM bookings')).rows

  async function begin(): Promise<ChildProcess> {
    const child = spawn(process.execPath, ['--import', 'tsx', main], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    return child
  }

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
    child.kill(signal)
    return (await once(child, 'exit'))[0]
  }

  const connection = await connect(broker.url)
  await prepareQueues(connection, broker)
  const channel = await connection.createConfirmChannel()
  const send = (text: string) => channel.sendToQueue(broker.queue, Buffer.from(text), { persistent: true })
  for (let copy = 0; copy < 3; copy++) {
    for (let i = 0; i < ORDERS; i++) send(JSON.stringify({ id: `order ${i}`, customer: 'ann', amount: i }))
  }
  send('no order')
  await channel.waitForConfirms()
  await connection.close()

  const [first, second] = await Promise.all([begin(), begin()])
  await expect.poll(async () => (await bookings()).length, { timeout: 20_000 }).toBeGreaterThan(ORDERS / 10)
  await end(first, 'SIGKILL')
  await rabbitmq.nodes[0]?.kill()
  await rabbitmq.nodes[0]?.start()
  await expect.poll(async () => (await bookings()).length, { timeout: 60_000 }).toBe(ORDERS)

  const after = await connect(broker.url)
  const looking = await after.createChannel()
  const waiting = async (queue: string) => (await looking.checkQueue(queue)).messageCount
  await expect.poll(() => waiting(broker.queue), { timeout: 60_000 }).toBe(0)
  await expect.poll(() => waiting(deadLettersOf(broker)), { timeout: 60_000 }).toBeGreaterThan(0)
  expect(await end(second, 'SIGTERM')).toBe(0)
  expect(new Set((await bookings()).map(({ order_id }) => order_id)).size).toBe(ORDERS)
  expect((await bookings()).length).toBe(ORDERS)
  await after.close()
  await pool.end()
  await Promise.all([rabbitmq.stop(), postgres.stop()])
})
