// Tests tarballs, as users get them: installs the packed packages into a fresh project, and uses them there.
// The conformance suite runs under Vitest and under node:test, the core on every runtime, and the READMEs' programs as they stand.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { install as installPackages, pack } from './pack.mjs'
import { runtime } from './runtimes.mjs'
import { startService } from './services.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)
const project = mkdtempSync(join(tmpdir(), 'retryproof-packed-'))
const loader = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href

const bindings = ['express', 'fastify', 'hono', 'koa', 'nestjs']
/** The adapters, and the servers that the programs of their READMEs ask for. */
const adapters = {
  memory: [],
  sqlite: [],
  postgres: ['postgres'],
  mysql: ['mysql'],
  mongodb: ['mongodb'],
  redis: ['redis'],
  tiered: ['postgres', 'redis'],
}
const frameworks = [
  ...['express', 'fastify', 'hono', '@hono/node-server', 'koa', '@koa/router', '@koa/bodyparser'],
  ...['pg', 'mysql2', 'mongodb', 'ioredis', 'better-sqlite3'],
  ...['@nestjs/common@11', '@nestjs/core@11', '@nestjs/platform-express@11', 'reflect-metadata', 'rxjs'],
]

const servers = {
  postgres: await startIfHad('postgres'),
  mysql: await startIfHad('mariadb'),
  mongodb: await startIfHad('mongodb'),
  redis: await startIfHad('redis'),
}

try {
  const inside = (folder, names) => names.map((name) => `${folder}/${name}`)
  const packages = inside('packages', ['core', 'http', ...bindings])
  install([...packages, ...inside('adapters', Object.keys(adapters)), 'conformance'])
  installOtherCore()
  configureWorkerd()
  const results = [...Object.entries(runners()).map(runIt), ...Object.entries(onRuntimes()).map(runIt)]
  const failed = results.filter((result) => result === 'failed').length
  const missing = results.filter((result) => result === 'missing').length
  console.log(`Packed packages: ${results.length - failed - missing} passed, ${failed} failed, ${missing} not tested`)
  process.exitCode = failed > 0 || (missing > 0 && process.env.CI) ? 1 : 0
} finally {
  await Promise.all(Object.values(servers).map((server) => server.stop()))
  rmSync(project, { recursive: true, force: true })
}

async function startIfHad(name) {
  return startService(name).catch(({ message }) => ({ missing: message, stop() {} }))
}

function install(folders) {
  cpSync(join(here, 'packed'), project, { recursive: true })
  writeFileSync(join(project, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }\n')
  for (const name of bindings) cpSync(join(root, 'packages', name, 'README.md'), join(project, `${name}.md`))
  for (const name of Object.keys(adapters))
    cpSync(join(root, 'adapters', name, 'README.md'), join(project, `${name}.md`))
  cpSync(join(root, 'README.md'), join(project, 'README.md'))
  writeFileSync(join(project, 'tsconfig.json'), '{ "compilerOptions": { "experimentalDecorators": true } }\n')
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/vitest/package.json'), 'utf8'))
  installPackages(project, [...pack(folders, project), `vitest@${version}`, ...frameworks])
  // nothing is compiled here: the workspace has it compiled
  const compiled = 'better-sqlite3/build'
  cpSync(join(root, 'adapters/sqlite/node_modules', compiled), join(project, 'node_modules', compiled), {
    recursive: true,
  })
}

/** Writes the configuration of workerd: a module for each file of the core, and one that stands for each of its entries. */
function configureWorkerd() {
  const dist = 'node_modules/@retryproof/core/dist'
  const files = readdirSync(join(project, dist)).filter((file) => file.endsWith('.js'))
  const modules = [
    ...['worker.mjs', 'smoke.mjs'].map((file) => `(name = "${file}", esModule = embed "${file}")`),
    ...files.map((file) => `(name = "@retryproof/core/${file}", esModule = embed "${dist}/${file}")`),
    `(name = "@retryproof/core", esModule = "export * from 'core/index.js'")`,
    `(name = "@retryproof/core/store", esModule = "export * from 'store.js'")`,
  ]
  writeFileSync(
    join(project, 'workerd.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(
  name = "smoke",
  worker = (compatibilityDate = "2025-09-01", modules = [${modules.join(', ')}]),
)]);
`,
  )
}

/** Installs the core a second time, as `other-core` and of another version. */
function installOtherCore() {
  const folder = join(project, 'other-core')
  cpSync(join(project, 'node_modules/@retryproof/core'), folder, { recursive: true })
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const exports = { ...manifest.exports, './package.json': './package.json' }
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ ...manifest, name: 'other-core', version: '0.0.1', exports }),
  )
  installPackages(project, ['--install-links', './other-core'])
}

function runners() {
  return {
    'conformance under Vitest': [join(project, 'node_modules/.bin/vitest'), 'run', 'stranger.vitest.test.mjs'],
    'conformance under node:test': [process.execPath, '--test', 'stranger.node.test.mjs'],
    [`core on Node ${process.versions.node}`]: [process.execPath, 'main.mjs'],
    [`CommonJS on Node ${process.versions.node}`]: [process.execPath, 'commonjs.cjs'],
    'two versions of the core': [process.execPath, 'two-copies.mjs'],
    'README in memory': quickstart('README.md', 'memoryStore'),
    'README on PostgreSQL': servers.postgres.missing ? servers.postgres : quickstart('README.md', 'postgresStore'),
    ...Object.fromEntries(
      Object.entries(adapters).map(([name, wanted]) => [`README of ${name}`, recorded(name, wanted)]),
    ),
    ...Object.fromEntries(bindings.map((name) => [`README of ${name}`, quickstart(`${name}.md`, 'memoryStore')])),
  }
}

/** Runs the first server of a text that has this store, and sends it the curl that follows. */
function quickstart(text, store) {
  return [process.execPath, 'quickstart.mjs', text, store, loader]
}

/** Runs the first program of an adapter's README twice, on its servers. */
function recorded(name, wanted) {
  const missing = wanted.map((server) => servers[server]).find((server) => server.missing)
  const addresses = Object.fromEntries(wanted.map((server) => [server, servers[server].url]))
  return missing ?? [process.execPath, 'recorded.mjs', `${name}.md`, loader, JSON.stringify(addresses)]
}

function onRuntimes() {
  const programs = {
    node22: (path) => [path, 'main.mjs'],
    node24: (path) => [path, 'main.mjs'],
    node26: (path) => [path, 'main.mjs'],
    bun: (path) => [path, 'run', 'main.mjs'],
    deno: (path) => [path, 'run', '--allow-read', '--allow-env', '--node-modules-dir=manual', 'main.mjs'],
    workerd: (path) => [path, 'test', 'workerd.capnp'],
  }
  const commonjs = { node22: (path) => [path, 'commonjs.cjs'], node24: (path) => [path, 'commonjs.cjs'] }
  return Object.fromEntries([
    ...Object.entries(programs).map(titled('core')),
    ...Object.entries(commonjs).map(titled('CommonJS')),
  ])
}

/** Names a program after the runtime that it runs on. */
function titled(what) {
  return ([name, command]) => {
    const { path, version, missing } = runtime(name)
    return [`${what} on ${name} ${version ?? ''}`.trim(), missing ? { missing } : command(path)]
  }
}

function runIt([title, command]) {
  if (command.missing) {
    console.log(`not tested: ${title} (${command.missing})`)
    return 'missing'
  }
  const [program, ...args] = command
  const env = { ...process.env, ...postgresEnvironment() }
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: project, env, encoding: 'utf8' })
  console.log(`${status === 0 ? 'passed' : 'FAILED'}: ${title}`)
  if (status === 0) return 'passed'
  console.log(error?.message ?? '', stdout, stderr)
  return 'failed'
}

function postgresEnvironment() {
  if (servers.postgres.missing) return {}
  const { hostname, port, username, pathname } = new URL(servers.postgres.url)
  return { PGHOST: hostname, PGPORT: port, PGUSER: username, PGDATABASE: pathname.slice(1) }
}
