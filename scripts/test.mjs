// Everything that must hold, in the order in which a mistake is cheapest to find. `npm test -- --next` adds newer servers.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const next = process.argv.includes('--next') ? ['--next'] : []
const scratch = mkdtempSync(join(tmpdir(), 'retryproof-test-'))
const report = join(scratch, 'vitest.json')
const env = {
  ...process.env,
  PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
  TURBO_TELEMETRY_DISABLED: '1',
}

const check = (title, script, ...args) => [title, process.execPath, [`scripts/${script}.mjs`, ...args]]
const turbo = (title, ...tasks) => [title, 'turbo', ['run', ...tasks, '--output-logs=errors-only']]

/** One stage after the other. The lanes of a stage run side by side, for one step alone keeps no two cores busy. */
const stages = [
  [
    [check('Snippets of the texts', 'check-snippets')],
    [
      ['Lint and format', 'biome', ['check', '.']],
      check('Dependency direction', 'check-dependencies'),
      check('Examples of public functions', 'check-examples'),
      check('Words of the compiler', 'check-type-errors'),
      check('Install lines of the texts', 'check-installs'),
      check('Links of the texts', 'check-links'),
      check('Tables of options', 'options-tables'),
      check('Manifests', 'manifests'),
      check('Words of comments', 'check-words'),
    ],
  ],
  [[turbo('Types', 'typecheck')]],
  [[turbo('Build, publint and attw', 'build')]],
  [
    [check('API reports', 'api-reports')],
    [['Test servers', process.execPath, ['--test', 'scripts/services.test.mjs', 'scripts/selection.test.mjs']]],
  ],
  [
    [
      check(
        'Tests',
        'services',
        ...['run', ...next, '--', 'vitest', 'run'],
        ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
      ),
    ],
  ],
  [
    [check('Packed packages', 'packed'), check('Loading of the packed packages', 'loading', '--sample')],
    [
      check(
        'A cell of the version matrix',
        'services',
        ...['run', '--', process.execPath, 'scripts/matrix.mjs', '--sample', '--quick'],
      ),
    ],
  ],
]

const results = []
for (const lanes of stages) await Promise.all(lanes.map((lane) => runLane(lane, lanes.length > 1)))
const tests = readReport()
rmSync(scratch, { recursive: true, force: true })

console.log('')
for (const { title, ok, seconds } of results) console.log(`${ok ? 'passed' : 'FAILED'}  ${title} (${seconds} s)`)
for (const failure of tests.failures) console.log(failure)
const failedSteps = results.filter(({ ok, title }) => !ok && (title !== 'Tests' || tests.failed === 0)).length
const passed = tests.passed + results.filter(({ ok, title }) => ok && title !== 'Tests').length
const failed = tests.failed + failedSteps
console.log(`${passed} passed, ${failed} failed, ${tests.skipped} skipped`)
process.exitCode = failed > 0 ? 1 : 0

/** A step that has another one beside it is printed as a whole, when it is over. */
async function runLane(lane, isBeside) {
  for (const [title, command, args] of lane) {
    const head = `\n── ${title}`
    if (!isBeside) console.log(head)
    const startedAt = Date.now()
    const child = spawn(command, args, { cwd: root, env, stdio: isBeside ? ['ignore', 'pipe', 'pipe'] : 'inherit' })
    const said = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part) => said.push(part))
    const ok = await new Promise((resolve) => {
      child.once('close', (status) => resolve(status === 0))
      child.once('error', ({ message }) => {
        said.push(Buffer.from(message))
        resolve(false)
      })
    })
    if (isBeside || said.length > 0) console.log(`${isBeside ? head : ''}\n${Buffer.concat(said)}`)
    results.push({ title, ok, seconds: Math.round((Date.now() - startedAt) / 1000) })
  }
}

function readReport() {
  try {
    const {
      numPassedTests: passed,
      numFailedTests,
      numFailedTestSuites,
      numPendingTests,
      testResults,
    } = JSON.parse(readFileSync(report, 'utf8'))
    // a file that does not load has no tests of its own, and counts all the same
    const failed = numFailedTests > 0 ? numFailedTests : numFailedTestSuites
    return { passed, failed, skipped: numPendingTests, failures: testResults.flatMap(failuresOf) }
  } catch {
    return { passed: 0, failed: 0, skipped: 0, failures: [] }
  }
}

/** One paragraph for each failed test of a file, or for a file that does not load: its name, and the head of its message. */
function failuresOf({ name, status, message, assertionResults }) {
  const file = relative(root, name)
  const failed = assertionResults.filter((test) => test.status === 'failed')
  if (status === 'failed' && failed.length === 0) return [`FAILED  ${file}\n${headOf(message)}`]
  return failed.map((test) => `FAILED  ${file} > ${test.fullName}\n${headOf(test.failureMessages.join('\n'))}`)
}

function headOf(message) {
  return message
    .split('\n')
    .slice(0, 4)
    .map((line) => `        ${line.slice(0, 300)}`)
    .join('\n')
}
