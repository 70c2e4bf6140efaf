/** A million records in each store: the time of a first page, of rare records, and of `stats`. `RECORDS=…` for fewer. */
import { done } from '../test/terminal.ts'
import { fillers, onOwnServer, openStore } from './records/fill-store.ts'

const RECORDS = Number(process.env.RECORDS ?? 1_000_000)

const asked: readonly (readonly string[])[] = [
  ['list'],
  ['list', '--state', 'parked'],
  ['list', '--namespace', 'shop', '--operation', 'charge-7'],
  ['list', '--stuck', '1m'],
  ['stats'],
]

async function measure(kind: string, url: string): Promise<void> {
  const target = await openStore(url)
  await target.close()
  const began = performance.now()
  await fillers[kind]?.fill(url, RECORDS)
  process.stdout.write(`${kind}: ${RECORDS} records in ${Math.round((performance.now() - began) / 1000)} s\n`)
  for (const args of asked) {
    const times: number[] = []
    for (let round = 0; round < 3; round++) {
      const start = performance.now()
      await done([...args, '--store', url])
      times.push(Math.round(performance.now() - start))
    }
    process.stdout.write(`${kind}: ${args.join(' ').padEnd(28)} ${times.join(', ')} ms\n`)
  }
}

/** The index of a million records has 146 MB, and MariaDB has 128 MiB of pages unless told otherwise. */
const memory: Readonly<Record<string, readonly string[]>> = { mariadb: ['--innodb-buffer-pool-size=512M'] }

for (const kind of process.env.STORES?.split(',') ?? Object.keys(fillers)) {
  await onOwnServer(kind, { args: memory[kind] ?? [] }, (url) => measure(kind, url))
}
