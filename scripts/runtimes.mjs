/**
 * Other JavaScript runtimes, for tests: each a binary inside an npm package, fetched once into node_modules/.cache.
 *
 *     import { runtime } from '../../../scripts/runtimes.mjs'
 *     const bun = runtime('bun')        // { path, version }, or { missing: why }
 *
 * Names: node20 (the oldest that is supported), node22, node24, node26, bun, deno, workerd.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules/.cache/runtimes')
const { platform, arch } = process
const long = arch === 'arm64' ? 'aarch64' : arch

const catalogue = {
  node20: { install: `node-${platform}-${arch}@20.19.0`, name: `node-${platform}-${arch}`, binary: 'bin/node' },
  node22: { install: `node-${platform}-${arch}@22`, name: `node-${platform}-${arch}`, binary: 'bin/node' },
  node24: { install: `node-${platform}-${arch}@24`, name: `node-${platform}-${arch}`, binary: 'bin/node' },
  node26: { install: `node-${platform}-${arch}@26`, name: `node-${platform}-${arch}`, binary: 'bin/node' },
  bun: { install: `@oven/bun-${platform}-${long}@1`, name: `@oven/bun-${platform}-${long}`, binary: 'bin/bun' },
  deno: { install: `@deno/${platform}-${arch}-glibc@2`, name: `@deno/${platform}-${arch}-glibc`, binary: 'deno' },
  workerd: {
    install: `@cloudflare/workerd-${platform}-64@1`,
    name: `@cloudflare/workerd-${platform}-64`,
    binary: 'bin/workerd',
  },
}

/** The runtime's binary and version, fetched where it is not there yet. */
export function runtime(name) {
  const { install, name: packageName, binary } = catalogue[name]
  const folder = join(cache, name)
  const path = join(folder, 'node_modules', packageName, binary)
  if (!existsSync(path)) {
    const problem = fetchPackage(install, folder)
    if (problem && !existsSync(path)) return { missing: problem }
  }
  const { stdout, error } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  return error ? { missing: error.message } : { path, version: stdout.split('\n')[0].trim() }
}

/** Installs beside the folder and moves it there whole, since test files run side by side and one may be killed half-way. */
function fetchPackage(install, folder) {
  const own = `${folder}.${process.pid}`
  mkdirSync(own, { recursive: true })
  const args = [
    'install',
    '--prefix',
    own,
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--force',
    install,
  ]
  try {
    const { status, stderr, error } = spawnSync('npm', args, { encoding: 'utf8' })
    if (status !== 0) throw error ?? new Error(stderr.trim().split('\n').at(-1))
    renameSync(own, folder)
    return undefined
  } catch (error) {
    return `${install} could not be installed: ${error.message}`
  } finally {
    rmSync(own, { recursive: true, force: true })
  }
}
