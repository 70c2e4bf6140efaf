// Measures the first minute of a newcomer: from an empty folder, with the packed packages, to the first answer from a record.
// `npm run first-minute -- [--list] [--write] [pattern]`; `--write` puts the rows into docs/first-minute.md.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { manifestOf, publishedFolders } from './manifests.mjs'
import { execute, pack } from './pack.mjs'
import { blocksOf, freePort, quickStartOf, sendTwice, whileServing } from './packed/readme.mjs'
import { readSelection } from './selection.mjs'
import { startService } from './services.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const page = join(root, 'docs/first-minute.md')
const { list, write, select } = readSelection('first-minute', ['list', 'write'])

/** Replacements for the memory store of a quick start, as the README of the adapter has it. */
const stores = {
  memory: {},
  PostgreSQL: {
    server: 'postgres',
    packages: '@retryproof/postgres pg',
    types: '@types/pg',
    imports: `import { migrate, postgresStore } from '@retryproof/postgres'\nimport pg from 'pg'`,
    opens: () => 'const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })',
    prepares: 'await migrate({ pool })',
    store: 'postgresStore({ pool })',
  },
  Redis: {
    server: 'redis',
    packages: '@retryproof/redis ioredis',
    imports: `import { redisStore } from '@retryproof/redis'\nimport { Redis } from 'ioredis'`,
    opens: (url) => `const client = new Redis('${url}', { autoResendUnfulfilledCommands: false })`,
    store: 'redisStore({ client })',
  },
}

const tools = 'npm install --save-dev typescript tsx @types/node'
const strict = '--strict --noEmit --target es2022 --skipLibCheck'

/** An application that is one file: `server.mts`, or compiled to CommonJS. */
function oneFile(name, isCommonJs) {
  return {
    name: isCommonJs ? `${name}, CommonJS` : name,
    readme: `packages/${name.toLowerCase()}/README.md`,
    creates: [],
    tools: [tools],
    file: isCommonJs ? 'server.ts' : 'server.mts',
    inMain: isCommonJs,
    starts: isCommonJs
      ? [
          'npx tsc --module commonjs --moduleResolution bundler --esModuleInterop --target es2022 --outDir dist --skipLibCheck server.ts',
          'node dist/server.js',
        ]
      : ['npx tsx server.mts'],
    checks: `npx tsc ${strict} ${isCommonJs ? '--module commonjs --moduleResolution bundler --esModuleInterop server.ts' : '--module nodenext server.mts'}`,
  }
}

const frameworks = [
  ...['Express', 'Fastify', 'Hono', 'Koa'].flatMap((name) => [oneFile(name, false), oneFile(name, true)]),
  {
    name: 'Nest, CommonJS',
    readme: 'packages/nestjs/README.md',
    creates: ['npx @nestjs/cli@11 new app --strict --skip-git --package-manager npm'],
    folder: 'app',
    tools: [],
    file: 'src/main.ts',
    starts: ['npm start'],
    checks: 'npx tsc --noEmit --strict',
  },
  {
    name: 'Next',
    readme: 'packages/http/README.md',
    creates: ['npx create-next-app app --api --typescript --use-npm --yes'],
    folder: 'app',
    tools: [],
    file: 'app/charges/route.ts',
    starts: ['npx next dev -p 3000'],
    checks: 'npx tsc --noEmit --strict',
  },
]

const rows = select(
  frameworks.flatMap((framework) =>
    Object.keys(stores).map((store) => ({ title: `${framework.name}, ${store}`, framework, store })),
  ),
  ({ title }) => title,
)

if (list) for (const { title } of rows) console.log(title)
else await measureAll()

async function measureAll() {
  const scratch = mkdtempSync(join(tmpdir(), 'retryproof-first-minute-'))
  const servers = await Promise.all(
    Object.entries(stores)
      .filter(([name, { server }]) => server && rows.some(({ store }) => store === name))
      .map(async ([name, { server }]) => [name, await startService(server)]),
  )
  try {
    const tarballs = packAll(join(scratch, 'tarballs'))
    const results = []
    for (const row of rows) {
      const url = servers.find(([name]) => name === row.store)?.[1].url ?? ''
      results.push(await measure(row, { folder: mkdtempSync(join(scratch, 'row-')), tarballs, url }))
    }
    if (write) writeRows(results.filter(({ problem }) => problem === undefined))
    process.exitCode = results.every(({ problem, typeErrors }) => problem === undefined && typeErrors === 0) ? 0 : 1
  } finally {
    await Promise.all(servers.map(([, server]) => server.stop()))
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Packs all packages: by name, the tarball and those of its dependencies. */
function packAll(destination) {
  mkdirSync(destination)
  const folders = publishedFolders()
  pack(folders, destination)
  const manifests = new Map(folders.map(manifestOf).map((manifest) => [manifest.name, manifest]))
  const withDependencies = (name) => [
    name,
    ...Object.keys(manifests.get(name).dependencies ?? {})
      .filter((other) => manifests.has(other))
      .flatMap(withDependencies),
  ]
  const tarball = (name) => join(destination, `${name.slice(1).replace('/', '-')}-${manifests.get(name).version}.tgz`)
  return (name) => withDependencies(name).map(tarball)
}

async function measure({ title, framework, store }, { folder: empty, tarballs, url }) {
  const folder = join(empty, framework.folder ?? '')
  const port = await freePort()
  const shown = quickStartOf(join(root, framework.readme), 'memoryStore')
  // rows share a server, so that each has a key of its own
  const start = { ...shown, command: shown.command.replace('Idempotency-Key: k1', `Idempotency-Key: k${port}`) }
  const typed = []
  const env = {
    ...process.env,
    DATABASE_URL: url,
    PORT: String(port),
    npm_config_prefer_offline: 'true',
    npm_config_yes: 'true',
  }
  const type = (command, cwd) => {
    typed.push(command)
    return runCommand(
      command.replaceAll(/@retryproof\/[\w-]+/g, (name) => tarballs(name).join(' ')).replaceAll('3000', port),
      cwd,
      env,
    )
  }
  const startedAt = performance.now()
  try {
    for (const command of framework.creates) type(command, empty)
    for (const command of [...installLines(framework.readme, stores[store]), ...framework.tools]) type(command, folder)
    const path = join(folder, framework.file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, programOn(start.program, stores[store], url, framework.inMain).replaceAll('3000', port))
    const serves = framework.starts.at(-1)
    for (const command of framework.starts.slice(0, -1)) type(command, folder)
    typed.push(serves)
    const served = { program: 'sh', args: ['-c', serves.replace('3000', port)], cwd: folder, env, port }
    await whileServing(served, () => sendTwice(start, port))
    typed.push(start.command, start.command)
    const seconds = (performance.now() - startedAt) / 1000
    const typeErrors = (runCommand(framework.checks, folder, env, true).match(/error TS/g) ?? []).length
    console.log(`${title}: ${typed.length} commands, ${seconds.toFixed(1)} s, ${typeErrors} type errors`)
    return { title, typed, seconds, typeErrors }
  } catch (error) {
    console.log(`FAILED: ${title}: ${error.message}`)
    return { title, problem: error.message }
  }
}

/** The install lines of a README, for another store than that of memory. */
function installLines(readme, { packages, types }) {
  const lines = blocksOf(join(root, readme))
    .find(({ kind, code }) => kind === 'sh' && code.startsWith('npm install'))
    .code.split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean)
    .map((line) => (packages ? line.replace('@retryproof/memory', packages) : line))
  return types ? [...lines, `npm install --save-dev ${types}`] : lines
}

/** A quick start on another store. The body of a CommonJS program stands in a function, since `await` may not stand outside. */
function programOn(program, { imports, opens, prepares = '', store }, url, inMain) {
  const lines = program.trimEnd().split('\n')
  const afterImports = lines.findLastIndex((line) => line.startsWith('import ')) + 1
  const heads = lines.slice(0, afterImports).map((line) => (imports && line.includes('memoryStore') ? imports : line))
  const body = lines
    .slice(afterImports)
    .join('\n')
    .replace('memoryStore()', store ?? 'memoryStore()')
  const opened = opens ? `\n${opens(url)}\n` : ''
  const bootstrap = 'async function bootstrap() {'
  if (body.includes(bootstrap))
    return [...heads, opened, body.replace(bootstrap, `${bootstrap}\n${prepares}`), ''].join('\n')
  const statements = [opened, prepares, body].join('\n')
  return [...heads, inMain ? `async function main() {${statements}\n}\nvoid main()` : statements, ''].join('\n')
}

function runCommand(command, cwd, env, mayFail = false) {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (status !== 0 && !mayFail) throw new Error(`${command}\n${stdout}${stderr}`)
  return stdout
}

/** Puts the measured rows in the place of those that the page has of the same name. */
function writeRows(results) {
  const text = readFileSync(page, 'utf8')
  const lines = new Map([...text.matchAll(/^\| ([^|]+) \|.*\d s \|.*$/gm)].map(([line, title]) => [title, line]))
  for (const { title, typed, seconds, typeErrors } of results)
    lines.set(title, `| ${title} | ${typed.length} | ${Math.round(seconds)} s | ${typeErrors} |`)
  const all = frameworks.flatMap(({ name }) => Object.keys(stores).map((store) => `${name}, ${store}`))
  const table = [
    '| what | commands | to the first replay | type errors |',
    '|---|---|---|---|',
    ...all.flatMap((title) => lines.get(title) ?? []),
  ]
  writeFileSync(page, text.replace(/^\| what [\s\S]*?\n\n/m, `${table.join('\n')}\n\n`))
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}, npm ${execute('npm', ['--version'], root).trim()}`,
  )
}
