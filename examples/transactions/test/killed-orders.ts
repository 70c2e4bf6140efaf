/** Orders whose processes are killed (SIGKILL), and what became of them. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Backend, openBackend } from '../../crash-drill/src/backends.ts'
import type { BackendName, Effect, Place } from '../../crash-drill/src/place.ts'
import { CHARGES } from './charges.ts'
import type { Job, Report } from './order-process.ts'

/** So short that the next process soon takes over, and long enough for a busy machine to renew it. */
const LEASE_MS = 1000
const PROGRAM = fileURLToPath(new URL('./order-process.ts', import.meta.url))

export interface Killed {
  /** One process takes the orders to these points, and is killed when each stands there; null: finishes them. */
  process(orders: Job['orders']): Promise<Report[]>
  /** The effects of each order, in the order in which they were had. */
  effects(): Promise<Map<string, string[]>>
}

/** Runs `drill` on a place of its own, in letters and digits `name`. */
export async function onPlace(
  at: { readonly backend: BackendName; readonly url: string; readonly name: string },
  drill: (killed: Killed) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-steps-'))
  const place: Place = { ...at, folder }
  const backend = await openBackend(place)
  try {
    await backend.prepare()
    await drill({
      process: (orders) => runProcess({ place, leaseMs: LEASE_MS, orders }),
      effects: () => effectsOf(backend, folder),
    })
  } finally {
    await backend.close()
    rmSync(folder, { recursive: true })
  }
}

/** Resolves when the process is gone. */
async function runProcess(job: Job): Promise<Report[]> {
  const child = fork(PROGRAM, { execArgv: ['--import', 'tsx'], env: { ...process.env, JOB: JSON.stringify(job) } })
  const gone = once(child, 'exit')
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const reports: Report[] = []
  child.on('message', (report: Report) => {
    reports.push(report)
    if (reports.length === Object.keys(job.orders).length) kill()
  })
  const [code, signal] = await gone
  process.off('exit', kill)
  if (signal !== 'SIGKILL') throw new Error(`The process ended by itself (${code ?? signal}).`)
  return reports
}

async function effectsOf(backend: Backend, folder: string): Promise<Map<string, string[]>> {
  const file = join(folder, CHARGES)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
  const charges = lines.map((line): Effect => JSON.parse(line))
  const byKey = new Map<string, string[]>()
  for (const { key, value } of [...(await backend.effects()), ...charges].sort((a, b) =>
    a.value < b.value ? -1 : 1,
  )) {
    byKey.set(key, [...(byKey.get(key) ?? []), value.slice(21)])
  }
  return byKey
}
