/** A program in one file, so that a process that runs it is soon there: it is started hundreds of times. */
import { mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const bundles = new Map<string, Promise<string>>()

/** Makes a bundle of `./<name>.ts`, and returns its path. It is removed when this process ends. */
export function bundled(name: string): Promise<string> {
  const bundle = bundles.get(name) ?? make(name)
  bundles.set(name, bundle)
  return bundle
}

async function make(name: string): Promise<string> {
  const here = dirname(fileURLToPath(import.meta.url))
  // inside of this package, so that the drivers are found from it
  const folder = join(here, '../node_modules/.bundles')
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${name}-${process.pid}.mjs`)
  process.on('exit', () => rmSync(outfile, { force: true }))
  await build({
    entryPoints: [join(here, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['pg', 'mysql2', 'mongodb', 'better-sqlite3', 'ioredis'],
  })
  return outfile
}
