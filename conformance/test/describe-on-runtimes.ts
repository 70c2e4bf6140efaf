/** Runs the suite of bindings on the servers of other runtimes, each a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { build } from 'tsdown'
import { afterAll, describe } from 'vitest'
import { runtime } from '../../scripts/runtimes.mjs'
import { type BindingHarness, type BindingServer, describeBinding } from '../src/http.ts'

const servers = fileURLToPath(new URL('runtimes/', import.meta.url))

interface Program {
  readonly args: readonly string[]
  /** The file descriptor on which it tells its port. */
  readonly fd: 1 | 3
  /** Serves the handler that `serve` gives. */
  readonly entry: string
  readonly lacks?: BindingHarness['lacks']
}

const programs = {
  bun: { args: ['run', 'bun.mjs'], fd: 1, entry: '' },
  deno: { args: ['run', '--allow-net', '--allow-env', '--no-config', 'deno.mjs'], fd: 1, entry: '' },
  workerd: {
    args: ['serve', 'workerd.capnp', '--control-fd=3'],
    fd: 3,
    entry: 'export default ',
    lacks: { memory: 'a Worker is not told', disconnects: 'workerd by itself tells nobody' },
  },
} satisfies Record<string, Program>

type Name = keyof typeof programs

/**
 * @param app a module that exports `createApp`
 * @param lacks what the framework does not have on a runtime
 */
export function describeOnRuntimes(name: string, app: URL, lacks: (runtime: Name) => BindingHarness['lacks']): void {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-runtimes-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  for (const each of Object.keys(programs) as Name[]) {
    const found = runtime(each)
    const { missing } = found
    if (missing !== undefined && process.env.CI) throw new Error(missing)
    const title = missing === undefined ? `${each} ${found.version}` : `${each} (not tested: ${missing})`
    const program: Program = programs[each]
    describe.skipIf(missing)(title, () => {
      describeBinding(name, {
        authenticates: true,
        lacks: {
          ...lacks(each),
          transactions: 'the memory store has none',
          closing: 'the server runs in a process of its own',
          ...program.lacks,
        },
        async start() {
          await bundle(each, program, fileURLToPath(app), folder)
          return serve(missing === undefined ? found.path : '', program, folder)
        },
      })
    })
  }
}

/** One file that needs nothing else, since that is what workerd takes. */
async function bundle(name: Name, { entry }: Program, app: string, folder: string): Promise<void> {
  const source = join(folder, `${name}.ts`)
  const imports = `import { createApp } from '${app}'\nimport { serve } from '${servers}${name}.ts'\n`
  writeFileSync(source, `${imports}${entry}serve(createApp)\n`)
  await build({
    config: false,
    entry: source,
    outDir: folder,
    clean: false,
    format: 'esm',
    platform: 'neutral',
    fixedExtension: true,
    deps: { alwaysBundle: [/^[^:]*$/] },
    copy: `${servers}workerd.capnp`,
    dts: false,
    logLevel: 'silent',
  })
}

async function serve(binary: string, { args, fd }: Program, cwd: string): Promise<BindingServer> {
  const child = spawn(binary, args, { cwd, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
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
