import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { fileStore } from '../file-store.ts'

const directory = mkdtempSync(join(tmpdir(), 'retryproof-processes-'))
afterAll(() => rmSync(directory, { recursive: true }))

const KEYS = 40

interface Worker {
  readonly child: ChildProcess
  /** The output until its end. */
  readonly lines: Promise<string[][]>
}

function start(name: string): Worker {
  const script = fileURLToPath(new URL('file-worker.ts', import.meta.url))
  const args = ['--import', 'tsx', script, directory, name, String(KEYS)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (data) => {
    said += data
  })
  // a process that is killed may leave half a line
  const lines = once(child, 'close').then(() =>
    said
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' ')),
  )
  return { child, lines }
}

test('processes on one directory, two of them killed: each key settles once, and all see the same result', async () => {
  const workers = ['one', 'two', 'three', 'four'].map(start)
  for (const { child } of workers.slice(2)) child.stdout?.once('data', () => child.kill('SIGKILL'))
  const said = (await Promise.all(workers.map(({ lines }) => lines))).flat()

  const of = (word: string, i: number) => said.filter(([what, key]) => what === word && key === String(i))
  const store = fileStore({ directory })
  for (let i = 0; i < KEYS; i++) {
    const tokens = of('acquired', i).map(([, , token]) => token)
    expect(new Set(tokens).size, `tokens of ${i}`).toBe(tokens.length)
    const kept = await store.get(`files.worker.${i}`)
    expect(kept?.state).toBe('completed')
    expect(of('completed', i).every(([, , token]) => token === String(kept?.token))).toBe(true)
    const seen = of('settled', i).map(([, , token, name]) => `${token} ${name}`)
    expect(new Set(seen)).toEqual(new Set([`${kept?.token} ${new TextDecoder().decode(kept?.result ?? undefined)}`]))
    expect(seen.length).toBeGreaterThanOrEqual(2)
  }
}, 120_000)
