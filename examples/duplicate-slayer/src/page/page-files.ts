/** The files of the page, each bundled with all its imports. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** A page that talks to the demo's server, or one that has its shop in itself. */
export type PageKind = 'served' | 'alone'

const folder = fileURLToPath(new URL('../../page', import.meta.url))

/** Gives the files by their names. The script is no module, so that a browser loads it from a disk too. */
export async function bundlePage(kind: PageKind): Promise<Record<string, string>> {
  return {
    'index.html': readFileSync(`${folder}/index.html`, 'utf8'),
    'style.css': await bundle('style.css'),
    'main.js': await bundle(`${kind}.ts`),
  }
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}/${entry}`],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    logLevel: 'silent',
  })
  return outputFiles[0]?.text ?? ''
}
