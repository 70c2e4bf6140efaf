/**
 * 500 calls in each mode, whose workers are killed, and which no client sends again: does `recover()` finish all of them,
 * once each?
 *
 *     node --import tsx examples/crash-drill/drills/recover.ts [calls] [backend,…] [mode,…]
 */

import type { Mode } from '../src/messages.ts'
import { recoveredModesOf } from '../src/modes.ts'
import { forEachPlace } from '../src/places.ts'
import { type RecoverReport, recoverDrill } from '../src/recover-drill.ts'

const [calls = '500', backends, modes] = process.argv.slice(2)

process.exitCode = await forEachPlace(recoveredModesOf, { backends, modes }, async (place, mode) => {
  const report = await recoverDrill({ place, mode, calls: Number(calls) })
  return { report, problems: problemsOf(mode, report) }
})

function problemsOf(mode: Mode, report: RecoverReport): string[] {
  const { finished, unfinished, missing, duplicates } = report
  const problems: string[] = []
  if (finished !== report.calls) problems.push(`${finished} finished`)
  if (unfinished > 0) problems.push(`${unfinished} unfinished`)
  if (missing > 0) problems.push(`${missing} missing`)
  // an unprotected effect is done twice where its worker was killed after it: so the drill sees what it looks for
  if (mode === 'external' ? duplicates === 0 : duplicates > 0) problems.push(`${duplicates} duplicates`)
  return problems
}
