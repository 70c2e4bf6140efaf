/**
 * Four workers charge 1,500 keys, and are killed (SIGKILL) 100 times: is anything charged twice, or not at all?
 *
 *     node --import tsx examples/crash-drill/drills/crash.ts [keys] [kills] [backend,…] [mode,…]
 */
import { type CrashReport, crashDrill } from '../src/crash-drill.ts'
import type { Mode } from '../src/messages.ts'
import { modesOf } from '../src/modes.ts'
import { forEachPlace } from '../src/places.ts'

const [keys = '1500', kills = '100', backends, modes] = process.argv.slice(2)

process.exitCode = await forEachPlace(modesOf, { backends, modes }, async (place, mode) => {
  const reports = await crashDrill({ place, modes: [mode], keys: Number(keys), kills: Number(kills) })
  const report = reports.get(mode)
  return report ? { report, problems: problemsOf(mode, report) } : { report: {}, problems: ['no report'] }
})

function problemsOf(mode: Mode, report: CrashReport): string[] {
  const mustBeNone: readonly (keyof CrashReport)[] =
    mode === 'external' ? ['missing', 'disagreeing'] : ['duplicates', 'missing', 'disagreeing']
  const problems = mustBeNone.filter((name) => report[name] > 0).map((name) => `${report[name]} ${name}`)
  if (report.kills !== Number(kills)) problems.push(`${report.kills} kills`)
  if (mode === 'external' && report.duplicates === 0) problems.push('saw no duplicate where there must be some')
  if (mode === 'derived' && report.refused === 0) problems.push('the downstream refused nothing')
  if (mode === 'park' && (report.parked === 0 || report.parkedDone === 0)) problems.push('parked nothing')
  return problems
}
