/**
 * A statement that waits for its record while summer time ends, and another while it begins, on a server whose clock is set
 * to just before: does it give the right lease, and refuse what expired? Needs Debian's `faketime`.
 *
 *     node --import tsx adapters/mysql/drills/summer-time.ts
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { startService } from '../../../scripts/services.mjs'
import { mysqlStore } from '../src/index.ts'
import { claim, completed, rowsOf, storeAt } from '../test/fixtures.ts'

const BEFORE_S = 40
const LEASE_MS = 600_000

/** The errors, in words. The server's clock starts 40 s before `change` (UTC), in Berlin, as that of this process did. */
async function waitAcross(change: string): Promise<string[]> {
  const server = await startService('mariadb')
  await using fixture = await storeAt(server.url)
  const { pool, table } = fixture
  const store = mysqlStore({ pool, table, timeout: `${2 * BEFORE_S}s` })
  const hours = async () =>
    Number((await rowsOf(pool, 'SELECT ROUND(TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW()) / 60) AS hours'))[0]?.hours)

  const offsets = [await hours()]
  const renewed = await store.begin('renewed', claim())
  const expired = await store.begin('expired', claim({ leaseMs: 1_000, retentionMs: 1_000 }))
  await store.transition('renewed', renewed.token, { to: 'released', delayMs: 0, retentionMs: LEASE_MS })
  const { token } = await store.begin('renewed', claim({ leaseMs: 0 }))
  const waiting = await store.transaction(async (tx) => {
    for (const key of ['renewed', 'expired']) await store.bind(tx).get(key)
    const calls = [
      store.transition('renewed', token, { to: 'renew', leaseMs: LEASE_MS }),
      store.transition('expired', expired.token, completed('x')),
    ]
    await tx.query(
      `SELECT SLEEP(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), '${change.slice(0, 19).replace('T', ' ')}') + 2)`,
    )
    return { calls }
  })
  const [renewal, settle] = await Promise.all(waiting.calls)
  offsets.push(await hours())
  const leaseMs = (await store.get('renewed'))?.leaseRemainingMs ?? 0
  await server.stop()
  return [
    ...(offsets[0] === offsets[1] ? [`the zone did not change: ${offsets}`] : []),
    ...(renewal?.outcome === 'ok' && leaseMs <= LEASE_MS && leaseMs > LEASE_MS - 10_000
      ? []
      : [`lease of ${leaseMs} ms`]),
    ...(settle?.outcome === 'lost' ? [] : ['an expired record was settled']),
  ]
}

const [, program = '', change] = process.argv
const library = readdirSync('/usr/lib')
  .map((folder) => `/usr/lib/${folder}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path))
if (change) {
  const problems = await waitAcross(change)
  process.stdout.write(`${change}: ${problems.join('; ') || 'right'}\n`)
  process.exitCode = problems.length
} else if (library) {
  for (const at of ['2026-10-25T01:00:00Z', '2026-03-29T01:00:00Z']) {
    const FAKETIME = `@${Date.parse(at) / 1000 - BEFORE_S}`
    const clock = {
      TZ: 'Europe/Berlin',
      LD_PRELOAD: library,
      FAKETIME,
      FAKETIME_FMT: '%s',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
    const env = { ...process.env, ...clock }
    const { status } = spawnSync(process.execPath, [...process.execArgv, program, at], { env, stdio: 'inherit' })
    process.exitCode ||= status ?? 1
  }
} else {
  process.stdout.write('not run: there is no libfaketime here (Debian: apt-get install faketime)\n')
}
