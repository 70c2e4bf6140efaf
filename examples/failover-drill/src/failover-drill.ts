/** Clients that send each key until it is answered, while the primary fails over: everything is counted afterwards. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { openForwarder } from './forwarder.ts'
import { type Backend, openShop } from './shop.ts'

/** Two servers, of which the second follows the first, and acknowledges what the first acknowledges. */
export interface Pair<Tx> {
  readonly url: string
  /** A server of the shop, through a pool of its own. */
  open(url: string): Promise<Backend<Tx>>
  /** Makes the primary read only. */
  demote(): Promise<void>
  /** Makes the replica the primary, and gives its address. */
  promote(): Promise<string>
  /** SIGKILL for the old primary. */
  kill(): Promise<void>
  /** The number of orders of each key, on the new primary. */
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

/** One switch on a new pair of servers. `demoted: false`: the primary dies without a word. */
export async function failover<Tx>(pair: Pair<Tx>, demoted: boolean): Promise<FailoverReport> {
  const forwarder = await openForwarder(pair.url)
  const charges = new Map<string, number>()
  const charged = (key: string) => {
    const run = (charges.get(key) ?? 0) + 1
    charges.set(key, run)
    return run
  }
  const shops = await Promise.all(
    Array.from({ length: SHOPS }, async () => openShop(await pair.open(forwarder.url), charged)),
  )
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

  const clients = Array.from({ length: CLIENTS }, (_, i) => client(i % 2 ? '/orders' : '/charges'))
  await delay(SETTLED_MS)
  if (demoted) {
    await pair.demote()
    await delay(READ_ONLY_MS)
  } else await pair.kill()
  forwarder.leadTo(await pair.promote())
  await delay(SETTLED_MS)
  if (demoted) await pair.kill()
  await delay(SETTLED_MS)
  running = false
  await Promise.all(clients)

  let lost = 0
  const orders = await pair.orders()
  for (const [key, { path, body }] of answers) {
    const again = await send(path, key)
    if (again.body !== body || (path === '/orders' && !orders.has(key))) lost++
  }
  const timesDone = [...charges.values(), ...orders.values()]
  await Promise.all(shops.map((shop) => shop.close()))
  await forwarder.close()
  await pair.stop()
  const runTwice = timesDone.filter((times) => times > 1).length
  return { switches: 1, calls, runTwice, lost, longestMs: Math.round(longestMs), statuses }
}

/** Several switches, each on servers of their own. */
export async function failoverDrill<Tx>(
  startPair: () => Promise<Pair<Tx>>,
  switches: number,
  say: (line: string) => void,
): Promise<FailoverReport> {
  let sum: FailoverReport = { switches: 0, calls: 0, runTwice: 0, lost: 0, longestMs: 0, statuses: {} }
  for (let i = 0; i < switches; i++) {
    const one = await failover(await startPair(), i % 3 !== 2)
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
