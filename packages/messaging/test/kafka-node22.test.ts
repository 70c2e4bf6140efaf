import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { runtime } from '../../../scripts/runtimes.mjs'
import { service } from '../../../scripts/services.mjs'

const kafka = await service('kafka')
const node = runtime('node22')
const { path, version } = node.missing === undefined ? node : { path: '', version: '22' }
const program = fileURLToPath(new URL('kafka-node22.ts', import.meta.url))

test.skipIf(kafka.missing ?? node.missing)(
  `@platformatic/kafka 2 on Node ${version}: each message once, in order, and committed`,
  { timeout: 60_000 },
  async () => {
    const { stdout } = await promisify(execFile)(path, [program, kafka.url])
    expect(JSON.parse(stdout)).toEqual({
      node: version,
      verdicts: ['handled', 'failed', 'dead-letter', 'duplicate', 'handled'],
      committed: 4,
      reason: 'max-attempts',
      letter: '{"id":"b","fails":true}',
    })
  },
)
