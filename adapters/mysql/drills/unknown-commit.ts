/**
 * Payments over a network that loses COMMITs and their answers: does each key have exactly one?
 *
 *     node --import tsx adapters/mysql/drills/unknown-commit.ts [keys]
 */
import mysql from 'mysql2/promise'
import { services } from '../../../scripts/services.mjs'
import { mysqlStore } from '../src/index.ts'
import { storeAt } from '../test/fixtures.ts'
import { type Payments, payAll } from '../test/payments.ts'
import { type Fate, openProxy } from '../test/proxy.ts'

export interface UnknownCommitReport extends Payments {
  /** COMMITs that were lost, that were done and not answered, and that came late. */
  readonly fates: Readonly<Record<Fate, number>>
}

export async function unknownCommitDrill(url: string, keys: number): Promise<UnknownCommitReport> {
  const fates: Record<Fate, number> = { pass: 0, 'lose request': 0, 'lose reply': 0, hold: 0 }
  // in turn, so that a short drill has them all
  const turn = ['hold', 'lose reply', 'lose request', 'pass'] as const
  let commits = 0
  await using fixture = await storeAt(url)
  await using proxy = await openProxy(url, (request) => {
    if (!request.endsWith('COMMIT')) return 'pass'
    const fate = turn[commits++ % turn.length] ?? 'pass'
    fates[fate]++
    // it arrives while the caller already asks what became of it
    if (fate === 'hold') setTimeout(() => proxy.release(), Math.random() * 50)
    return fate
  })
  const pool = mysql.createPool({ uri: proxy.url, connectionLimit: 24 })
  const store = mysqlStore({ pool, table: fixture.table })
  const paid = await payAll(fixture.pool, store, keys)
  await pool.end()
  return { ...paid, fates }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  for (const { title, url, missing } of await services('mysql')) {
    const report = missing ? missing : await unknownCommitDrill(url, Number(process.argv[2] ?? 500))
    process.stdout.write(`${title}: ${JSON.stringify(report)}\n`)
    if (typeof report === 'object' && report.wrong > 0) process.exitCode = 1
  }
}
