// All parts: `npm run bench [-- --quick]`. One of them: `npm run bench -- memory` (a driver of the functions), `-- http express`, `-- service redis`.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const [first = '', ...others] = process.argv.slice(2)
if (first === 'http' || first === 'service') run(first, others)
else if (/^[a-z]/.test(first)) run('functions', [first, ...others])
else for (const part of ['functions', 'http', 'service']) run(part, process.argv.slice(2))

function run(part, words) {
  const program = fileURLToPath(new URL(`${part}/run.mjs`, import.meta.url))
  const { status } = spawnSync(process.execPath, [program, ...words], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
