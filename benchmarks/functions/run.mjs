// Functions beside floors and peers: `pnpm functions [--quick] [driver …]`.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

const manifest = JSON.parse(await readFile(here('../package.json'), 'utf8'))

// plain JavaScript is measured, as it is published: a loader that compiles on the fly would cost more than we do
const folder = await mkdtemp(join(tmpdir(), 'retryproof-bench-'))
const bundle = join(folder, 'bench.mjs')
await symlink(here('../node_modules'), join(folder, 'node_modules'))
await build({
  entryPoints: [here('bench.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  // ours is bundled, what others publish is loaded as it is
  external: Object.keys(manifest.dependencies).filter((name) => !name.startsWith('@retryproof/')),
  logLevel: 'warning',
})
const flags = (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter(Boolean)
const child = spawn(process.execPath, [...flags, bundle, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, BENCH_ROOT: new URL('../../', import.meta.url).href },
})
child.on('exit', async (code) => {
  await rm(folder, { recursive: true })
  process.exitCode = code ?? 1
})
