/** The page's files, with the client in its script. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Express } from 'express'

const folder = fileURLToPath(new URL('../page', import.meta.url))

/** A script of TypeScript as one file for the browser. */
export async function bundle(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'silent',
  })
  return outputFiles[0]?.text ?? ''
}

export async function servePage(app: Express): Promise<void> {
  const script = await bundle(`${folder}/checkout.ts`)
  const html = readFileSync(`${folder}/index.html`, 'utf8')
  app.get('/', (_request, response) => void response.type('html').send(html))
  app.get('/checkout.js', (_request, response) => void response.type('js').send(script))
}
