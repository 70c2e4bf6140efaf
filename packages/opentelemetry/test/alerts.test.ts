import { execFile } from 'node:child_process'
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

test.skipIf(!promtool)(
  'every alert tells when it should, and not before (needs promtool)',
  async () => {
    const cases = fileURLToPath(new URL('./alerts.promtool.yml', import.meta.url))
    const { stdout } = await promisify(execFile)(promtool ?? '', ['test', 'rules', cases])
    expect(stdout).toContain('SUCCESS')
  },
  30_000,
)
