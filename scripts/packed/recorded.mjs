// `node recorded.mjs README.md LOADER ADDRESSES`: runs the first program of an adapter's text twice, as it stands there but for the
// addresses of its servers (JSON, by their protocol). A store that outlives its process answers the second run from the record.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { blocksOf } from './readme.mjs'

const [file, loader, json] = process.argv.slice(2)
const addresses = JSON.parse(json)
const { code } = blocksOf(file).find(({ kind }) => kind === 'ts')
const program = code.replace(/\b(redis|mongodb):\/\/[^']+/g, (_, protocol) => addresses[protocol])
const name = `${file.replace(/\W/g, '-')}-recorded.ts`
writeFileSync(name, `${program}\nconsole.log(JSON.stringify({ value, replayed }))\nprocess.exit()\n`)

const isLasting = !program.includes('memoryStore')
for (const replayed of [false, isLasting]) {
  const env = { ...process.env, DATABASE_URL: addresses.postgres ?? addresses.mysql }
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', loader, name], { env, encoding: 'utf8' })
  const wanted = JSON.stringify({ value: { chargeId: 'ch_1' }, replayed })
  if (stdout.trim() !== wanted) throw new Error(`wanted ${wanted}, got ${stdout}${stderr}`)
}
