/**
 * Kills the primary of three nodes (SIGKILL) under load, again and again: is every result that was acknowledged still
 * there, does any token fall, and does every call of unknown outcome end well when it is sent again?
 *
 *     node --import tsx adapters/mongodb/drills/failover.ts [kills]
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreUnavailableError } from '@retryproof/core'
import { MongoClient } from 'mongodb'
import { startService } from '../../../scripts/services.mjs'
import { migrate, mongodbStore } from '../src/index.ts'

const HOUR_MS = 3_600_000
const WRITERS = 16

export interface FailoverReport {
  readonly kills: number
  readonly acknowledged: number
  /** Calls whose outcome was unknown, and that were sent again. */
  readonly unknown: number
  /** Acknowledged results that are gone, or another. */
  readonly lost: number
  /** Keys whose token fell, or whose repeated begin gave another. */
  readonly tokensThatFell: number
  /** The longest time without an acknowledged result, in milliseconds. */
  readonly longestGapMs: number
}

export async function failoverDrill(
  kills: number,
  settledPerKill: number,
  say: (line: string) => void,
): Promise<FailoverReport> {
  const server = await startService('mongodb', { nodes: 3, durable: true })
  const client = new MongoClient(server.url, { serverSelectionTimeoutMS: 2_000, connectTimeoutMS: 1_000 })
  try {
    const collection = client.db('drill').collection('records')
    await migrate({ collection })
    const store = mongodbStore({ collection })
    const acknowledged = new Map<string, { readonly token: number; readonly result: string }>()
    let [unknown, lost, tokensThatFell, longestGapMs, last] = [0, 0, 0, 0, performance.now()]
    let running = true

    /** Sends a call until it is answered. */
    async function persist<T>(call: () => Promise<T>): Promise<T> {
      for (;;) {
        try {
          return await call()
        } catch (error) {
          if (!(error instanceof StoreUnavailableError)) throw error
          if (error.applied === 'unknown') unknown++
          await pause(20)
        }
      }
    }

    async function write(): Promise<void> {
      while (running) {
        const key = `drill.failover.${randomUUID()}`
        const claim = { owner: randomUUID(), fingerprint: 'f', leaseMs: HOUR_MS, retentionMs: HOUR_MS }
        const { token } = await persist(() => store.begin(key, claim))
        const again = await persist(() => store.begin(key, claim))
        if (again.token !== token) tokensThatFell++
        const result = randomUUID()
        const change = { to: 'completed', result: Buffer.from(result), retentionMs: HOUR_MS } as const
        const { outcome } = await persist(() => store.transition(key, token, change))
        if (outcome === 'ok') acknowledged.set(key, { token, result })
        else lost++
        longestGapMs = Math.max(longestGapMs, Math.round(performance.now() - last))
        last = performance.now()
      }
    }

    const enough = async (more: number) => {
      const size = acknowledged.size + more
      while (acknowledged.size < size) await pause(5)
    }

    /** One failure at a time: with two nodes away there is no majority, and nothing to see. */
    const healthy = async () => {
      const states = () =>
        client
          .db('admin')
          .command({ replSetGetStatus: 1 })
          .then(({ members }) => (members as { stateStr: string }[]).map(({ stateStr }) => stateStr))
          .catch(() => [''])
      while (!(await states()).every((state) => /PRIMARY|SECONDARY/.test(state))) await pause(50)
    }

    const writers = Array.from({ length: WRITERS }, write)
    for (let kill = 1; kill <= kills; kill++) {
      await enough(settledPerKill)
      const { primary } = await client.db('admin').command({ hello: 1 })
      const node = server.nodes.find(({ port }) => primary === `127.0.0.1:${port}`)
      if (!node) throw new Error(`No node of the drill is ${primary}`)
      await node.kill()
      await enough(settledPerKill)
      await node.start()
      await healthy()
      say(`kill ${kill} of ${kills}: ${acknowledged.size} acknowledged, ${unknown} unknown and sent again`)
    }
    running = false
    await Promise.all(writers)

    for (const [key, { token, result }] of acknowledged) {
      const record = await persist(() => store.get(key))
      if (record?.state !== 'completed' || Buffer.from(record.result ?? []).toString() !== result) lost++
      else if (record.token !== token) tokensThatFell++
    }
    return { kills, acknowledged: acknowledged.size, unknown, lost, tokensThatFell, longestGapMs }
  } finally {
    await client.close()
    await server.stop()
  }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const report = await failoverDrill(Number(process.argv[2] ?? 10), 300, (line) => process.stdout.write(`${line}\n`))
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exitCode = report.lost + report.tokensThatFell === 0 ? 0 : 1
}
