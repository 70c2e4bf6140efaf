/** Fetch handlers on the servers of other runtimes, each a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type BindingHarness, type BindingServer, describeBinding } from '@retryproof/conformance/http'
import { build } from 'tsdown'
import { afterAll, describe } from 'vitest'
import { type RuntimeName, runtime } from '../../../../scripts/runtimes.mjs'
import { lacks } from './lacks.ts'

const sources = fileURLToPath(new URL('servers/', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'retryproof-fetch-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** One file that needs nothing else, since that is what workerd takes. */
function bundle(name: string) {
  return build({
    config: false,
    entry: `${sources}${name}.ts`,
    outDir: folder,
    clean: false,
    format: 'esm',
    platform: 'neutral',
    fixedExtension: true,
    deps: { alwaysBundle: [/^[^:]*$/] },
    copy: `${sources}workerd.capnp`,
    dts: false,
    logLevel: 'silent',
  })
}

interface Program {
  readonly source: string
  readonly args: readonly string[]
  /** Where it tells its port, on this file descriptor. */
  readonly fd: 1 | 3
  readonly lacks?: BindingHarness['lacks']
}

const programs: Partial<Record<RuntimeName, Program>> = {
  bun: { source: 'bun', args: ['run', 'bun.mjs'], fd: 1 },
  deno: { source: 'deno', args: ['run', '--allow-net', '--allow-env', '--no-config', 'deno.mjs'], fd: 1 },
  workerd: {
    source: 'worker',
    args: ['serve', 'workerd.capnp', '--control-fd=3'],
    fd: 3,
    lacks: { memory: 'a Worker is not told', disconnects: 'workerd by itself tells nobody' },
  },
}

for (const [name, program] of Object.entries(programs)) {
  const found = runtime(name as RuntimeName)
  const { missing } = found
  if (missing !== undefined && process.env.CI) throw new Error(missing)
  describe.skipIf(missing)(
    missing === undefined ? `${name} ${found.version}` : `${name} (not tested: ${missing})`,
    () => {
      const start = () => serve(missing === undefined ? found.path : '', program)
      describeBinding('Fetch', {
        start,
        lacks: { ...lacks, transactions: 'the memory store has none', ...program.lacks },
      })
    },
  )
}

async function serve(binary: string, { source, args, fd }: Program): Promise<BindingServer> {
  await bundle(source)
  const child = spawn(binary, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
  const said = text(child.stderr as Readable)
  for await (const line of createInterface({ input: child.stdio[fd] as Readable })) {
    const port = Number(/"port":\s*(\d+)/.exec(line)?.[1] ?? line)
    if (port > 0) return { port, close: () => stop(child) }
  }
  throw new Error(`${binary} has ended before it served: ${await said}`)
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    // workerd would else wait for the requests that hang
    child.kill('SIGKILL')
  })
}
