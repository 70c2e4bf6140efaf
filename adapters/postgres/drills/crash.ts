/**
 * Kills the server (SIGKILL) under load, again and again: is every change that was acknowledged still there, does any
 * token fall, and does every call of unknown outcome end well when it is sent again?
 *
 *     node --import tsx adapters/postgres/drills/crash.ts [kills]
 */
import { randomUUID } from 'node:crypto'
import { StoreUnavailableError } from '@retryproof/core'
import pg from 'pg'
import { type OwnNode, startService } from '../../../scripts/services.mjs'
import { migrate, postgresStore } from '../src/index.ts'

const HOUR_MS = 3_600_000
const WRITERS = 16

export interface CrashReport {
  readonly kills: number
  readonly acknowledged: number
  /** Calls whose outcome was unknown, and that were sent again. */
  readonly unknown: number
  /** Acknowledged results that are gone or another after the crash. */
  readonly lost: number
  /** Keys whose token fell, or whose repeated begin gave another. */
  readonly tokensThatFell: number
}

/** The server is told not to wait for the disk; the store makes it. */
export async function crashDrill(
  kills: number,
  settledPerKill: number,
  say: (line: string) => void,
): Promise<CrashReport> {
  const server = await startService('postgres', {
    durable: true,
    args: ['synchronous_commit=off', 'wal_writer_delay=10s'],
  })
  const [node] = server.nodes as [OwnNode]
  const pool = new pg.Pool({ connectionString: server.url, max: WRITERS, connectionTimeoutMillis: 5_000 })
  pool.on('error', () => {})
  await migrate({ pool })
  const store = postgresStore({ pool })
  const acknowledged = new Map<string, { readonly token: number; readonly result: string }>()
  let unknown = 0
  let tokensThatFell = 0
  let running = true

  /** Sends a call until it is answered. */
  async function persist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error
        if (error.applied === 'unknown') unknown++
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  async function write(): Promise<void> {
    while (running) {
      const key = randomUUID()
      const claim = { owner: randomUUID(), fingerprint: 'f', leaseMs: HOUR_MS, retentionMs: HOUR_MS }
      const { token } = await persist(() => store.begin(key, claim))
      const again = await persist(() => store.begin(key, claim))
      if (again.token !== token) tokensThatFell++
      const result = Buffer.from(randomUUID())
      await persist(() => store.transition(key, token, { to: 'completed', result, retentionMs: HOUR_MS }))
      acknowledged.set(key, { token, result: result.toString() })
    }
  }

  const writers = Array.from({ length: WRITERS }, write)
  for (let kill = 1; kill <= kills; kill++) {
    const enough = acknowledged.size + settledPerKill
    while (acknowledged.size < enough) await new Promise((resolve) => setTimeout(resolve, 5))
    await node.kill()
    await node.start()
    say(`kill ${kill} of ${kills}: ${acknowledged.size} acknowledged, ${unknown} unknown and sent again`)
  }
  running = false
  await Promise.all(writers)

  let lost = 0
  for (const [key, { token, result }] of acknowledged) {
    const record = await store.get(key)
    if (record?.state !== 'completed' || Buffer.from(record.result ?? []).toString() !== result) lost++
    else if (record.token !== token) tokensThatFell++
  }
  await pool.end()
  await server.stop()
  return { kills, acknowledged: acknowledged.size, unknown, lost, tokensThatFell }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const report = await crashDrill(Number(process.argv[2] ?? 30), 500, say)
  say(JSON.stringify(report))
  process.exitCode = report.lost + report.tokensThatFell === 0 ? 0 : 1
}
