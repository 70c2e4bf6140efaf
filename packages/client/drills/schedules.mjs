/** 10,000 schedules of loss, delay, duplication, gateways, reload and clearing (half an hour); `FC_SEED` repeats a run. */
import { spawnSync } from 'node:child_process'

const { status } = spawnSync('vitest', ['run', 'test/schedules.test.ts'], {
  cwd: new URL('..', import.meta.url),
  env: { FC_RUNS: '10000', ...process.env },
  stdio: 'inherit',
})
process.exitCode = status ?? 1
