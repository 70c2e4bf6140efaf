/**
 * Four workers charge 1,500 keys, and are killed (SIGKILL) at least 100 times: is anything charged twice, or not at all?
 *
 *     node --import tsx examples/crash-drill/drills/crash.ts [keys] [kills] [backend,…] [mode,…]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unavailable } from '../../../scripts/services.mjs'
import { type CrashReport, crashDrill } from '../src/crash-drill.ts'
import type { Mode } from '../src/messages.ts'
import { modesOf, startBackend } from '../src/modes.ts'
import type { BackendName } from '../src/place.ts'

const [keys = '1500', kills = '100', only, onlyModes] = process.argv.slice(2)
const backends = (Object.keys(modesOf) as BackendName[]).filter((name) => !only || only.split(',').includes(name))
const say = (line: string) => process.stdout.write(`${line}\n`)
const bad: string[] = []

for (const backend of backends) {
  const why = backend === 'sqlite' ? undefined : await unavailable(backend)
  if (why) {
    say(`${backend}: not tested, ${why}`)
    continue
  }
  const server = await startBackend(backend)
  try {
    for (const mode of modesOf[backend].filter((each) => !onlyModes || onlyModes.split(',').includes(each))) {
      const folder = mkdtempSync(join(tmpdir(), 'retryproof-crash-'))
      const place = { backend, url: server.url, name: mode, folder }
      const startedAt = performance.now()
      const reports = await crashDrill({ place, modes: [mode], keys: Number(keys), kills: Number(kills) })
      const seconds = Math.round((performance.now() - startedAt) / 1000)
      for (const report of reports.values()) {
        say(`${backend} ${mode} (${seconds} s): ${JSON.stringify(report)}`)
        for (const problem of problemsOf(mode, report)) bad.push(`${backend} ${mode}: ${problem}`)
      }
      rmSync(folder, { recursive: true })
    }
  } finally {
    await server.stop()
  }
}
for (const line of bad) say(line)
process.exitCode = bad.length === 0 ? 0 : 1

function problemsOf(mode: Mode, report: CrashReport): string[] {
  const mustBeNone: readonly (keyof CrashReport)[] =
    mode === 'external' ? ['missing', 'disagreeing'] : ['duplicates', 'missing', 'disagreeing']
  const problems = mustBeNone.filter((name) => report[name] > 0).map((name) => `${report[name]} ${name}`)
  if (report.kills < Number(kills)) problems.push(`only ${report.kills} kills`)
  if (mode === 'external' && report.duplicates === 0) problems.push('saw no duplicate where there must be some')
  if (mode === 'derived' && report.refused === 0) problems.push('the downstream refused nothing')
  if (mode === 'park' && (report.parked === 0 || report.parkedDone === 0)) problems.push('parked nothing')
  return problems
}
