/** Payments that are sent until each is answered: does each key have one, and is it the one that everybody was told of? */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createIdempotency, unscoped } from '@retryproof/core'
import type mysql from 'mysql2/promise'
import type { MysqlStore } from '../src/index.ts'
import { rowsOf } from './fixtures.ts'

export interface Payments {
  readonly keys: number
  /** Calls that failed, and were made again. */
  readonly failures: number
  /** Keys with more or less than one payment, or with another than an answer said. */
  readonly wrong: number
}

const PATIENCE_MS = 60_000

/**
 * Pays `keys` times, half of them in each mode of transactions, each from two callers at once, and goes on with more until
 * `during` has ended: a server that is killed late is killed under load, too. Then it looks into the table.
 */
export async function payAll(
  pool: mysql.Pool,
  store: MysqlStore<mysql.PoolConnection>,
  keys: number,
  during: (paid: () => number) => Promise<void> = async () => {},
): Promise<Payments> {
  const idempotency = createIdempotency({
    store,
    namespace: 'drill',
    lease: 1_000,
    retention: '1h',
    storeTimeout: 2_000,
  })
  const table = `payments_${randomUUID().replaceAll('-', '')}`
  await pool.query(`CREATE TABLE ${table} (k VARCHAR(64) NOT NULL, id VARCHAR(64) NOT NULL, KEY (k)) ENGINE = InnoDB`)
  const answers = new Map<string, Set<string>>()
  let failures = 0

  async function pay(key: string, mode: 'fenced' | 'single'): Promise<void> {
    const until = performance.now() + PATIENCE_MS
    for (;;) {
      try {
        const reference = { operation: 'pay', scope: unscoped, key, payload: key } as const
        const work = async (tx: mysql.PoolConnection) => {
          const id = randomUUID()
          await tx.query(`INSERT INTO ${table} VALUES (?, ?)`, [key, id])
          return id
        }
        const { value } = await idempotency.transaction(reference, work, { mode })
        answers.set(key, (answers.get(key) ?? new Set()).add(value))
        return
      } catch (error) {
        if (performance.now() > until) throw error
        failures++
        await sleep(Math.random() * 50)
      }
    }
  }

  const all: string[] = []
  const queue: string[] = []
  let isOver = false
  const next = () => {
    if (queue.length === 0 && (all.length < keys || !isOver)) {
      const key = randomUUID()
      all.push(key)
      queue.push(key, key)
    }
    return queue.pop()
  }
  const worker = async () => {
    for (let key = next(); key; key = next()) await pay(key, all.length % 2 ? 'fenced' : 'single')
  }
  const ended = during(() => answers.size).finally(() => {
    isOver = true
  })
  await Promise.all([...Array.from({ length: 8 }, worker), ended])

  let wrong = 0
  for (const key of all) {
    const paid = (await rowsOf(pool, `SELECT id FROM ${table} WHERE k = '${key}'`)).map(({ id }) => id)
    const told = [...(answers.get(key) ?? [])]
    if (paid.length !== 1 || told.length !== 1 || paid[0] !== told[0]) wrong++
  }
  await pool.query(`DROP TABLE ${table}`)
  return { keys: all.length, failures, wrong }
}
