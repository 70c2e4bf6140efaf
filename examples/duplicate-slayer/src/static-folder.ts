/** Writes the page that plays without a server: `node --import tsx src/static-folder.ts FOLDER`. Any file server, or none, shows it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bundlePage } from './page/page-files.ts'

const folder = resolve(process.argv[2] ?? 'static')
mkdirSync(folder, { recursive: true })
for (const [name, content] of Object.entries(await bundlePage('alone'))) writeFileSync(join(folder, name), content)
console.log(`Open ${join(folder, 'index.html')}`)
