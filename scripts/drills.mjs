// The long runs: every program in a `drills` folder, then the conformance suite at length, with progress and a report.
// `npm run drills` runs all of them; `npm run drills -- postgres failover` those whose name has one of these words.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const words = process.argv.slice(2)
const PATH = `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`
const atLength = { FC_RUNS: '1000', FC_ROUNDS: '100', FC_HISTORIES: '1000' }

const drills = [...programs(), ...suites()].filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
)
if (drills.length === 0) {
  console.error(`No drill has '${words.join("' or '")}' in its name.`)
  process.exit(1)
}

const results = drills.map(run)
console.log('')
for (const { name, ok, seconds } of results) console.log(`${ok ? 'passed' : 'FAILED'}  ${name} (${seconds} s)`)
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1

function programs() {
  return packages().flatMap((folder) => {
    const drillsFolder = join(root, folder, 'drills')
    if (!existsSync(drillsFolder)) return []
    return readdirSync(drillsFolder)
      .filter((file) => /\.(ts|mjs)$/.test(file))
      .map((file) => ({
        name: `${folder}/drills/${file}`,
        args: ['--import', 'tsx', `${folder}/drills/${file}`],
        env: {},
      }))
  })
}

function suites() {
  return packages()
    .filter((folder) => existsSync(join(root, folder, 'test/conformance.test.ts')))
    .map((folder) => ({
      name: `${folder}: the conformance suite at length`,
      args: ['scripts/services.mjs', 'run', '--next', '--', 'vitest', 'run', `${folder}/test/conformance.test.ts`],
      env: atLength,
    }))
}

function packages() {
  const inside = (parent) => readdirSync(join(root, parent)).map((name) => `${parent}/${name}`)
  return [...inside('adapters'), ...inside('packages'), ...inside('examples')]
}

function run({ name, args, env }, index) {
  console.log(`\n── ${index + 1} of ${drills.length}: ${name}`)
  const startedAt = Date.now()
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, PATH, ...env },
    stdio: 'inherit',
  })
  return { name, ok: status === 0, seconds: Math.round((Date.now() - startedAt) / 1000) }
}
