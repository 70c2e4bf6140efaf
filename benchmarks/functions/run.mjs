// Functions beside floors and peers: `pnpm functions [--quick] [driver …]`.
import { spawn } from 'node:child_process'
import { bundled, nodeFlags } from '../bundle.mjs'

const { file, drop } = await bundled('functions/bench.ts')
const child = spawn(process.execPath, [...nodeFlags, file, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, BENCH_ROOT: new URL('../../', import.meta.url).href },
})
child.on('exit', async (code) => {
  await drop()
  process.exitCode = code ?? 1
})
