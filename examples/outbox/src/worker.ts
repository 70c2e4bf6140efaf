/** A process that does one thing, and is killed at a point of it: `worker.ts <job as JSON>`. */
import { connect } from 'amqplib'
import pg from 'pg'
import { publishTo } from './broker.ts'
import { killAt } from './kill-at.ts'
import { createOrders } from './orders.ts'

export interface Job {
  readonly task: { readonly place: string } | 'recover'
  readonly point: number
  readonly postgresUrl: string
  readonly amqpUrl: string
  readonly exchange: string
  readonly lease: number
}

const job: Job = JSON.parse(String(process.argv[2]))
const pool = new pg.Pool({ connectionString: job.postgresUrl })
const connection = await connect(job.amqpUrl)
const channel = await connection.createConfirmChannel()
await pool.query('SELECT')

killAt(job.point)
const publish = publishTo(channel, job.exchange)
// each kill is an attempt
const orders = createOrders({ pool, publish, lease: job.lease, maxAttempts: 1000 })
if (job.task === 'recover') await orders.recover()
else await orders.place('ann', job.task.place, { item: job.task.place })
process.exit(0)
