/**
 * Business write and settle in one transaction, over a network that loses COMMITs and their answers: does each key have
 * exactly one effect, when `released` with the same token decides what a lost answer meant?
 *
 *     node --import tsx adapters/postgres/drills/unknown-commit.ts [keys]
 */
import { randomUUID } from 'node:crypto'
import { StoreUnavailableError } from '@retryproof/core'
import pg from 'pg'
import { startService } from '../../../scripts/services.mjs'
import { migrate, postgresStore } from '../src/index.ts'
import { type Fate, openProxy } from '../test/proxy.ts'

const HOUR_MS = 3_600_000
const WORKERS = 8

export interface UnknownCommitReport {
  readonly keys: number
  /** Transactions whose end was unknown. */
  readonly unknown: number
  /** Of those: committed all the same, and rolled back. */
  readonly committed: number
  readonly rolledBack: number
  /** Keys with another number of effects than one. */
  readonly wrong: number
}

/** The fates of COMMITs, in turn, so that a short drill has them all. */
const FATES: readonly Fate[] = ['hold', 'lose reply', 'lose request', 'pass']

export async function unknownCommitDrill(keys: number): Promise<UnknownCommitReport> {
  const server = await startService('postgres')
  const pool = new pg.Pool({ connectionString: server.url })
  await migrate({ pool })
  await pool.query('CREATE TABLE effects (key text)')
  let commits = 0
  const proxy = await openProxy(server.url, (request) => {
    if (!request.includes('COMMIT\0')) return 'pass'
    const fate = FATES[commits++ % FATES.length] ?? 'pass'
    // a held COMMIT arrives while the caller already asks
    if (fate === 'hold') setTimeout(() => proxy.release(), Math.random() * 20)
    return fate
  })
  const far = new pg.Pool({ connectionString: proxy.url, max: WORKERS })
  far.on('error', () => {})
  const [store, near] = [postgresStore({ pool: far }), postgresStore({ pool })]
  const report = { keys, unknown: 0, committed: 0, rolledBack: 0 }

  async function runOnce(key: string): Promise<void> {
    for (;;) {
      const reply = await near.begin(key, {
        owner: randomUUID(),
        fingerprint: 'f',
        leaseMs: HOUR_MS,
        retentionMs: HOUR_MS,
      })
      if (reply.outcome === 'settled') return
      if (reply.outcome !== 'acquired') throw new Error(`${key}: ${reply.outcome}`)
      const { token } = reply
      try {
        await store.transaction(async (tx) => {
          await tx.query('INSERT INTO effects VALUES ($1)', [key])
          const settled = await store
            .bind(tx)
            .transition(key, token, { to: 'completed', result: Buffer.from(key), retentionMs: HOUR_MS })
          if (settled.outcome !== 'ok' || !settled.applied) throw new Error(`${key}: the settle was not applied`)
        })
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) || error.applied !== 'unknown') throw error
        report.unknown++
        const answer = await near.transition(key, token, { to: 'released', delayMs: 0, retentionMs: HOUR_MS })
        if (answer.outcome === 'ok') report.rolledBack++
        else if (answer.current?.state === 'completed' && answer.current.token === token) report.committed++
        else throw new Error(`${key}: ${JSON.stringify(answer)}`)
      }
    }
  }

  const queue = Array.from({ length: keys }, () => randomUUID())
  const work = async () => {
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) await runOnce(key)
  }
  await Promise.all(Array.from({ length: WORKERS }, work))
  const { rows } = await pool.query('SELECT count(*)::int AS effects, count(DISTINCT key)::int AS keys FROM effects')
  const wrong = Math.abs(rows[0].effects - keys) + Math.abs(rows[0].keys - keys)
  await proxy.close()
  await far.end()
  await pool.end()
  await server.stop()
  return { ...report, wrong }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const report = await unknownCommitDrill(Number(process.argv[2] ?? 500))
  process.stdout.write(`${JSON.stringify(report)}\n`)
  process.exitCode = report.wrong === 0 ? 0 : 1
}
