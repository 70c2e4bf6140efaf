/**
 * Payments on a server that is killed (SIGKILL), again and again: does each key have exactly one, the one that was told?
 *
 *     node --import tsx adapters/mysql/drills/crash.ts [kills]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type OwnNode, startService } from '../../../scripts/services.mjs'
import { storeAt } from '../test/fixtures.ts'
import { type Payments, payAll } from '../test/payments.ts'

export interface CrashReport extends Payments {
  readonly kills: number
}

export async function crashDrill(kind: 'mariadb' | 'mysql', kills: number, paidPerKill: number): Promise<CrashReport> {
  const server = await startService(kind, { durable: true })
  try {
    const [node] = server.nodes as [OwnNode]
    await using fixture = await storeAt(server.url, { pool: { connectionLimit: 24 } })
    let killed = 0
    const paid = await payAll(fixture.pool, fixture.store, kills * paidPerKill, async (count) => {
      while (killed < kills) {
        const enough = (killed + 0.5) * paidPerKill
        while (count() < enough) await sleep(5)
        await node.kill()
        await node.start()
        killed++
      }
    })
    return { ...paid, kills: killed }
  } finally {
    await server.stop()
  }
}

if (import.meta.url === `file://${process.argv[1]}`) {
  for (const kind of process.env.RETRYPROOF_NEXT ? (['mariadb', 'mysql'] as const) : (['mariadb'] as const)) {
    const report = await crashDrill(kind, Number(process.argv[2] ?? 20), 100)
    process.stdout.write(`${kind}: ${JSON.stringify(report)}\n`)
    if (report.wrong > 0) process.exitCode = 1
  }
}
