// Checks that a reader can run the first program of each text: what it imports is named in an `npm install` line of the text.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** Drivers and frameworks without types of their own, which strict TypeScript asks for. */
const untyped = ['amqplib', 'better-sqlite3', 'express', 'koa', 'pg']
/** Packages that `nest new` has installed before the reader comes to ours. */
const there = ['@nestjs/common', '@nestjs/core', 'reflect-metadata']

const texts = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { cwd: root, encoding: 'utf8' })
  .stdout.split('\n')
  .filter(
    (file) => /^(README|(packages|adapters|conformance|docs)\/.*)\.md$/.test(file) && !file.includes('decisions/'),
  )
const missing = texts.flatMap((file) =>
  missingIn(readFileSync(join(root, file), 'utf8')).map((name) => `${file}: ${name}`),
)
for (const line of missing) console.error(`${line} is imported by the first program and not installed.`)
console.log(`Install lines: ${texts.length} texts, ${missing.length} packages missing.`)
process.exitCode = missing.length === 0 ? 0 : 1

function missingIn(text) {
  const lines = [...text.matchAll(/^npm install (.*)$/gm)].map(([, line]) => line)
  const program = /^```ts\n([\s\S]*?)^```$/m.exec(text.slice(text.search(/^npm install /m)))?.[1]
  if (lines.length === 0 || !program) return []
  const installed = new Set(lines.join(' ').split(' '))
  const imported = [...program.matchAll(/^(?:import|\} from).*?'([^'.][^']*)'/gm)].map(([, name]) => packageOf(name))
  const needed = imported.flatMap((name) => [name, ...(untyped.includes(name) ? [`@types/${name}`] : [])])
  return [...new Set(needed)].filter((name) => !isBuiltin(name) && !there.includes(name) && !installed.has(name))
}

function packageOf(name) {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}
