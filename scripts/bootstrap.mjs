// `npm test` and `npm run demo` on a machine that has only Node and npm: brings pnpm (pinned) and the packages, then runs.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A program, the folder in which it runs, and the only package that it needs, if it needs only one. */
const tasks = {
  test: { program: ['scripts/test.mjs'] },
  demo: { program: ['--import', 'tsx', 'src/demo.ts'], folder: 'examples/duplicate-slayer', only: 'duplicate-slayer' },
  drills: { program: ['scripts/drills.mjs'] },
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [task, ...args] = process.argv.slice(2)
if (!Object.hasOwn(tasks, task)) fail(`'${task}' is none of ${Object.keys(tasks).join(', ')}.`)
requireNode(20, 19)
const { program, folder = '.', only } = tasks[task]
install(only)
process.exitCode = run(process.execPath, [...program, ...args], folder)

function requireNode(major, minor) {
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number)
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return
  fail(`Node ${major}.${minor} or newer is needed; this is ${process.versions.node}.`)
}

/**
 * Installs when the lock file is another than that of the last install here. On a fresh clone a task that needs only one
 * package gets that one and what it depends on, of which nothing is compiled.
 */
function install(only) {
  const modules = `${root}/node_modules`
  const lock = createHash('sha256')
    .update(readFileSync(`${root}/pnpm-lock.yaml`))
    .digest('hex')
  const isInstalled = (name) => existsSync(`${modules}/${name}`) && readFileSync(`${modules}/${name}`, 'utf8') === lock
  if (isInstalled('.installed') || (only && isInstalled(`.installed-${only}`))) return
  const isFresh = !existsSync(modules) || existsSync(`${modules}/.installed-${only}`)
  const partly = only && isFresh ? ['--prod', '--shamefully-hoist', '--filter', `${only}...`] : []
  const pnpm = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).packageManager
  console.log(`Installing ${partly.length > 0 ? `what ${only} needs` : 'the packages'} with ${pnpm}.`)
  if (partly.length === 0) console.log('The first time takes a few minutes: better-sqlite3 is compiled.')
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx'
  const flags = ['--frozen-lockfile', '--config.confirmModulesPurge=false']
  const status = run(npx, ['--yes', pnpm, 'install', ...flags, ...partly])
  if (status !== 0) fail(`The installation failed (${status}).`)
  writeFileSync(`${modules}/.installed${partly.length > 0 ? `-${only}` : ''}`, lock)
}

function run(command, commandArgs, folder = '.') {
  const { status, error } = spawnSync(command, commandArgs, { cwd: join(root, folder), stdio: 'inherit' })
  if (error) fail(`${command} could not be started: ${error.message}`)
  return status ?? 1
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
