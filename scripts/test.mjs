// Everything that must hold, in the order in which a mistake is cheapest to find. `npm test -- --next` adds newer servers.
import { spawnSync } from 'node:child_process'
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

const steps = [
  ['Lint and format', 'biome', ['check', '.']],
  ['Dependency direction', process.execPath, ['scripts/check-dependencies.mjs']],
  ['Snippets of the texts', process.execPath, ['scripts/check-snippets.mjs']],
  ['Examples of public functions', process.execPath, ['scripts/check-examples.mjs']],
  ['Words of the compiler', process.execPath, ['scripts/check-type-errors.mjs']],
  ['Install lines of the texts', process.execPath, ['scripts/check-installs.mjs']],
  ['Links of the texts', process.execPath, ['scripts/check-links.mjs']],
  ['Tables of options', process.execPath, ['scripts/options-tables.mjs']],
  ['Manifests', process.execPath, ['scripts/manifests.mjs']],
  ['Words of comments', process.execPath, ['scripts/check-words.mjs']],
  ['Types', 'turbo', ['run', 'typecheck', '--output-logs=errors-only']],
  ['Build, publint and attw', 'turbo', ['run', 'build', '--output-logs=errors-only']],
  ['API reports', process.execPath, ['scripts/api-reports.mjs']],
  ['Test servers', process.execPath, ['--test', 'scripts/services.test.mjs', 'scripts/selection.test.mjs']],
  [
    'Tests',
    process.execPath,
    [
      'scripts/services.mjs',
      'run',
      ...next,
      '--',
      'vitest',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
  ],
  ['Packed packages', process.execPath, ['scripts/packed.mjs']],
  [
    'A cell of the version matrix',
    process.execPath,
    ['scripts/services.mjs', 'run', '--', process.execPath, 'scripts/matrix.mjs', '--sample', '--quick'],
  ],
  ['Loading of the packed packages', process.execPath, ['scripts/loading.mjs', '--sample']],
]

const results = steps.map(runStep)
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

function runStep([title, command, args]) {
  console.log(`\n── ${title}`)
  const startedAt = Date.now()
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' })
  if (error) console.error(error.message)
  return { title, ok: status === 0, seconds: Math.round((Date.now() - startedAt) / 1000) }
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
