// Plain JavaScript is measured, as it is published: a loader that compiles on the fly would cost more than we do.
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

/** Bundles a program with our packages. What others publish is loaded as it is. */
export async function bundled(entry) {
  const manifest = JSON.parse(await readFile(here('package.json'), 'utf8'))
  const folder = await mkdtemp(join(tmpdir(), 'retryproof-bench-'))
  await symlink(here('node_modules'), join(folder, 'node_modules'))
  await build({
    entryPoints: [here(entry)],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    external: Object.keys(manifest.dependencies).filter((name) => !name.startsWith('@retryproof/')),
    logLevel: 'warning',
  })
  return {
    file: join(folder, basename(entry).replace(/\.ts$/, '.mjs')),
    drop: () => rm(folder, { recursive: true }),
  }
}

/** Flags of Node for the processes that are measured, such as `--cpu-prof`. */
export const nodeFlags = (process.env.BENCH_NODE_FLAGS ?? '').split(' ').filter(Boolean)
