/** Kills processes that place orders at every point, then processes that recover, and counts orders and messages. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { migrate } from '@retryproof/postgres'
import { connect } from 'amqplib'
import pg from 'pg'
import { prepareQueues, publishTo, startShipping } from './broker.ts'
import { createOrders } from './orders.ts'
import type { Job } from './worker.ts'

export interface OutboxOptions {
  readonly postgresUrl: string
  readonly amqpUrl: string
  /** The points at which a process that places an order is killed. @default all, up to the first that survives */
  readonly placePoints?: readonly number[]
  /** The points at which a process that recovers is killed. @default all, up to the first that finishes its pass */
  readonly recoverPoints?: readonly number[]
}

export interface OutboxReport {
  readonly killedPlacing: number
  readonly killedRecovering: number
  /** Orders that processes left behind without a message or a record, and that `recover()` finished. */
  readonly recovered: number
  /** Orders whose message never came, though no client sent anything again. */
  readonly untold: number
  /** Messages of which there is no order. */
  readonly unfounded: number
  /** After each client sent its key again. */
  readonly orders: number
  readonly orderedTwice: number
  readonly shippedTwice: number
  readonly notShipped: number
  /** Messages that the broker was given, and the ids that they had. */
  readonly messages: number
  readonly messageIds: number
}

const EXCHANGE = 'orders'
const LEASE_MS = 1_000
const AT_ONCE = 3

export async function outboxDrill(options: OutboxOptions): Promise<OutboxReport> {
  const { postgresUrl, amqpUrl, placePoints, recoverPoints } = options
  const pool = new pg.Pool({ connectionString: postgresUrl })
  const connection = await connect(amqpUrl)
  const channel = await connection.createConfirmChannel()
  const ids: string[] = []
  try {
    await migrate({ pool })
    await pool.query('CREATE TABLE orders (id serial PRIMARY KEY, item text NOT NULL)')
    await pool.query('CREATE TABLE shipments (order_id integer NOT NULL)')
    await prepareQueues(channel, EXCHANGE)
    const { queue } = await channel.assertQueue('', { exclusive: true })
    await channel.bindQueue(queue, EXCHANGE, '')
    await channel.consume(queue, (message) => ids.push(String(message?.properties.messageId)), { noAck: true })
    const shipping = await startShipping(pool, connection)

    const killedPlacing = await killPlacing(placePoints)
    const killedRecovering = await killRecovering(recoverPoints)
    const orders = createOrders({ pool, publish: publishTo(channel, EXCHANGE), lease: LEASE_MS, maxAttempts: 1000 })
    await delay(LEASE_MS)
    const { finished } = await orders.recover()
    await allShipped()
    const untold = await count('SELECT FROM orders WHERE NOT EXISTS (SELECT FROM shipments WHERE order_id = id)')
    const unfounded = await count('SELECT FROM shipments WHERE NOT EXISTS (SELECT FROM orders WHERE order_id = id)')
    // the clients that were never answered come back
    for (let point = 1; point <= killedPlacing; point++) await orders.place('ann', `k${point}`, { item: `k${point}` })
    await allShipped()
    const report = {
      killedPlacing,
      killedRecovering,
      recovered: finished,
      untold,
      unfounded,
      orders: await count('SELECT FROM orders'),
      orderedTwice: await count('SELECT item FROM orders GROUP BY item HAVING count(*) > 1'),
      shippedTwice: await count('SELECT order_id FROM shipments GROUP BY order_id HAVING count(*) > 1'),
      notShipped: await count('SELECT FROM orders WHERE NOT EXISTS (SELECT FROM shipments WHERE order_id = id)'),
      messages: ids.length,
      messageIds: new Set(ids).size,
    }
    await orders.drain()
    await shipping.drain()
    return report
  } finally {
    await connection.close()
    await pool.end()
  }

  async function count(query: string): Promise<number> {
    return (await pool.query(query)).rowCount ?? 0
  }

  /** Waits until the shop has shipped every order, or nothing has come for a while. */
  async function allShipped(): Promise<void> {
    let before = -1
    for (;;) {
      const [shipped, ordered] = [await count('SELECT FROM shipments'), await count('SELECT FROM orders')]
      if (shipped >= ordered || (shipped === before && shipped > 0)) return
      before = shipped
      await delay(2_000)
    }
  }

  /** Each point has an order of its own. Tells how many processes were killed. */
  async function killPlacing(points: Iterable<number> = upwards()): Promise<number> {
    const turns = points[Symbol.iterator]()
    let killed = 0
    let index = 0
    let isOver = false
    const kill = async () => {
      for (let turn = turns.next(); !turn.done && !isOver; turn = turns.next()) {
        index++
        if (await isKilled({ place: `k${index}` }, turn.value)) killed++
        else isOver = true
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, kill))
    return killed
  }

  /** One after the other, since each takes what the one before left behind. */
  async function killRecovering(points: Iterable<number> = upwards()): Promise<number> {
    let killed = 0
    for (const point of points) {
      await delay(LEASE_MS)
      if (!(await isKilled('recover', point))) break
      killed++
    }
    return killed
  }

  async function isKilled(task: Job['task'], point: number): Promise<boolean> {
    const job: Job = { task, point, postgresUrl, amqpUrl, exchange: EXCHANGE, lease: LEASE_MS }
    const file = fileURLToPath(new URL('worker.ts', import.meta.url))
    const child = fork(file, [JSON.stringify(job)], { execArgv: ['--import', 'tsx'] })
    const [code, signal] = await once(child, 'exit')
    if (signal !== 'SIGKILL' && code !== 0) throw new Error(`A worker ended with ${code ?? signal}.`)
    return signal === 'SIGKILL'
  }
}

function* upwards(): Generator<number> {
  for (let point = 1; ; point++) yield point
}
