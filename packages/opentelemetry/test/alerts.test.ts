import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { distribution, which } from '../../../scripts/services/obtain.mjs'

/** Prometheus's own checker: on the PATH, and in CI the distribution's package. */
async function findPromtool(): Promise<string | undefined> {
  const here = which('promtool')
  if (here || !process.env.CI) return here
  const program = await distribution('promtool', { packages: ['prometheus'] })()
  return program.command('promtool')[0]
}

const promtool = await findPromtool()
const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8')

test('every alert leads to a section of the runbook that has its name', () => {
  const rules = read('../prometheus/alerts.yml')
  const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name)
  const sections = [...rules.matchAll(/runbook_url: \S+\/docs\/runbook\.md#(\w+)$/gm)].map(([, section]) => section)
  expect(names).not.toEqual([])
  expect(sections).toEqual(names.map((name) => name.toLowerCase()))
  const runbook = read('../../../docs/runbook.md').split('\n')
  expect(runbook).toEqual(expect.arrayContaining(names.map((name) => `## ${name}`)))
})

test.skipIf(!promtool)(
  'every alert tells when it should, and not before (needs promtool)',
  async () => {
    const cases = fileURLToPath(new URL('./alerts.promtool.yml', import.meta.url))
    const { stdout } = await promisify(execFile)(promtool ?? '', ['test', 'rules', cases])
    expect(stdout).toContain('SUCCESS')
  },
  30_000,
)
