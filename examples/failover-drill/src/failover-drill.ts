/** Sends each key until it is answered, while the leader fails over, and counts everything afterwards. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Backend, openShop } from './shop.ts'

/** Servers of one database: one leads, and the others acknowledge what it acknowledges. */
export interface Servers<Tx> {
  /** Opens the backend of a shop, with connections of its own that follow the leader. */
  open(): Promise<Backend<Tx>>
  /** Stops the leader from leading, while it lives: it only reads, steps down or stands still. */
  demote(): Promise<void>
  /** Resolves when another leads. */
  promote(): Promise<void>
  /** SIGKILL for the first leader. */
  kill(): Promise<void>
  /** Counts the orders of each key, at the new leader; empty where the database has no transactions. */
  orders(): Promise<ReadonlyMap<string, number>>
  stop(): Promise<void>
}

export interface FailoverReport {
  readonly switches: number
  readonly calls: number
  /** Keys whose charge was made more than once, or whose order stands more than once. */
  readonly runTwice: number
  /** Keys whose first answer is not what the same request is answered afterwards, or whose order is gone. */
  readonly lost: number
  /** The longest time from the first request of a key to its answer. */
  readonly longestMs: number
  /** The number of answers of each status; a 503 without Retry-After counts as `503 bare`. */
  readonly statuses: Readonly<Record<string, number>>
}

const SHOPS = 2
const CLIENTS = 12
/** Less than the lease of 30 s, as a failover should be that somebody planned. */
const READ_ONLY_MS = 1_000
const SETTLED_MS = 1_000

/** One switch on new servers. `demoted: false`: the leader dies without a word. */
export async function failover<Tx>(servers: Servers<Tx>, demoted: boolean): Promise<FailoverReport> {
  const charges = new Map<string, number>()
  const charged = (key: string) => {
    const run = (charges.get(key) ?? 0) + 1
    charges.set(key, run)
    return run
  }
  const shops = await Promise.all(Array.from({ length: SHOPS }, async () => openShop(await servers.open(), charged)))
  const paths = shops.every(({ takesOrders }) => takesOrders) ? ['/charges', '/orders'] : ['/charges']
  const answers = new Map<string, { readonly path: string; readonly body: string }>()
  const statuses: Record<string, number> = {}
  let calls = 0
  let longestMs = 0
  let running = true

  async function send(path: string, key: string): Promise<{ ok: boolean; body: string }> {
    const shop = shops[Math.floor(Math.random() * SHOPS)]
    calls++
    const response = await fetch(`${shop?.address}${path}`, { method: 'POST', headers: { 'Idempotency-Key': key } })
    const isBare = response.status === 503 && !response.headers.has('Retry-After')
    const status = isBare ? '503 bare' : String(response.status)
    statuses[status] = (statuses[status] ?? 0) + 1
    return { ok: response.ok, body: await response.text() }
  }

  async function client(path: string): Promise<void> {
    while (running) {
      const key = randomUUID()
      const startedMs = performance.now()
      for (;;) {
        const { ok, body } = await send(path, key)
        if (ok) {
          answers.set(key, { path, body })
          break
        }
        await delay(100 + Math.random() * 100)
      }
      longestMs = Math.max(longestMs, performance.now() - startedMs)
    }
  }

  const clients = Array.from({ length: CLIENTS }, (_, i) => client(String(paths[i % paths.length])))
  await delay(SETTLED_MS)
  if (demoted) {
    await servers.demote()
    await delay(READ_ONLY_MS)
  } else await servers.kill()
  await servers.promote()
  await delay(SETTLED_MS)
  if (demoted) await servers.kill()
  await delay(SETTLED_MS)
  running = false
  await Promise.all(clients)

  let lost = 0
  const orders = await servers.orders()
  for (const [key, { path, body }] of answers) {
    const again = await send(path, key)
    if (again.body !== body || (path === '/orders' && !orders.has(key))) lost++
  }
  const timesDone = [...charges.values(), ...orders.values()]
  await Promise.all(shops.map((shop) => shop.close()))
  await servers.stop()
  const runTwice = timesDone.filter((times) => times > 1).length
  return { switches: 1, calls, runTwice, lost, longestMs: Math.round(longestMs), statuses }
}

/** Several switches, each on servers of their own. */
export async function failoverDrill<Tx>(
  start: () => Promise<Servers<Tx>>,
  switches: number,
  say: (line: string) => void,
): Promise<FailoverReport> {
  let sum: FailoverReport = { switches: 0, calls: 0, runTwice: 0, lost: 0, longestMs: 0, statuses: {} }
  for (let i = 0; i < switches; i++) {
    const one = await failover(await start(), i % 3 !== 2)
    say(`switch ${i + 1} of ${switches}: ${JSON.stringify(one)}`)
    const statuses = { ...sum.statuses }
    for (const [status, count] of Object.entries(one.statuses)) statuses[status] = (statuses[status] ?? 0) + count
    sum = {
      switches: sum.switches + 1,
      calls: sum.calls + one.calls,
      runTwice: sum.runTwice + one.runTwice,
      lost: sum.lost + one.lost,
      longestMs: Math.max(sum.longestMs, one.longestMs),
      statuses,
    }
  }
  return sum
}
