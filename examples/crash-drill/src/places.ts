/** Runs a drill on each backend and in each mode, with servers of its own, and says what came of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unavailable } from '../../../scripts/services.mjs'
import type { Mode } from './messages.ts'
import { startBackend } from './modes.ts'
import type { BackendName, Place } from './place.ts'

export interface Chosen {
  /** Names with commas between; all where it is missing or empty. */
  readonly backends: string | undefined
  readonly modes: string | undefined
}

export interface Drilled {
  readonly report: object
  /** The findings that should not be. */
  readonly problems: readonly string[]
}

/** Gives the exit code. */
export async function forEachPlace(
  modesOf: Record<BackendName, readonly Mode[]>,
  chosen: Chosen,
  drill: (place: Place, mode: Mode) => Promise<Drilled>,
): Promise<0 | 1> {
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const isChosen = (names: string | undefined, name: string) => !names || names.split(',').includes(name)
  const bad: string[] = []
  for (const backend of (Object.keys(modesOf) as BackendName[]).filter((name) => isChosen(chosen.backends, name))) {
    const why = backend === 'sqlite' ? undefined : await unavailable(backend)
    if (why) {
      say(`${backend}: not tested, ${why}`)
      continue
    }
    const { url, title, stop } = await startBackend(backend)
    try {
      for (const mode of modesOf[backend].filter((name) => isChosen(chosen.modes, name))) {
        const folder = mkdtempSync(join(tmpdir(), 'retryproof-crash-'))
        const startedAt = performance.now()
        const { report, problems } = await drill({ backend, url, name: mode, folder }, mode)
        const seconds = Math.round((performance.now() - startedAt) / 1000)
        say(`${title} ${mode} (${seconds} s): ${JSON.stringify(report)}`)
        for (const problem of problems) bad.push(`${title} ${mode}: ${problem}`)
        rmSync(folder, { recursive: true })
      }
    } finally {
      await stop()
    }
  }
  for (const line of bad) say(line)
  return bad.length === 0 ? 0 : 1
}
