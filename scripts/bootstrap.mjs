// `npm test` and `npm run demo` on a machine that has only Node and npm: brings pnpm (pinned) and the packages, then runs.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const tasks = {
  test: ['scripts/test.mjs'],
  demo: ['--import', 'tsx', 'examples/duplicate-slayer/src/demo.ts'],
  drills: ['scripts/drills.mjs'],
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [task, ...args] = process.argv.slice(2)
if (!Object.hasOwn(tasks, task)) fail(`'${task}' is none of ${Object.keys(tasks).join(', ')}.`)
requireNode(20, 19)
install()
process.exitCode = run(process.execPath, [...tasks[task], ...args])

function requireNode(major, minor) {
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number)
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return
  fail(`Node ${major}.${minor} or newer is needed; this is ${process.versions.node}.`)
}

/** Installs when the lock file is another than that of the last install here. */
function install() {
  const stamp = `${root}/node_modules/.installed`
  const lock = createHash('sha256')
    .update(readFileSync(`${root}/pnpm-lock.yaml`))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  const pnpm = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).packageManager
  console.log(`Installing the packages with ${pnpm}. The first time takes a few minutes: better-sqlite3 is compiled.`)
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx'
  const status = run(npx, ['--yes', pnpm, 'install', '--frozen-lockfile'])
  if (status !== 0) fail(`The installation failed (${status}).`)
  writeFileSync(stamp, lock)
}

function run(command, commandArgs) {
  const { status, error } = spawnSync(command, commandArgs, { cwd: root, stdio: 'inherit' })
  if (error) fail(`${command} could not be started: ${error.message}`)
  return status ?? 1
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
