/** Ctrl-C ends a command whose server does not answer. */
import { expect, test } from 'vitest'
import { startService, unavailable } from '../../../scripts/services.mjs'
import { exitCodes } from '../src/exit-codes.ts'
import { run } from './terminal.ts'

const missing = await unavailable('redis')

test.skipIf(missing)('a command against a server that is frozen ends at the first Ctrl-C', async () => {
  const redis = await startService('redis')
  redis.nodes[0]?.signal('SIGSTOP')
  const ctrlC = new AbortController()
  const listing = run(['list', '--store', redis.url], { interrupted: ctrlC.signal })
  ctrlC.abort()
  expect((await listing).exitCode).toBe(exitCodes.interrupted)
  await redis.stop()
})
