/**
 * The latency of a call among few records and among many, purges running: fresh calls, and replays of records that lie anywhere.
 * Both stores have their turn in each round. `RECORDS=…` for another number than a million, `STORES=…` for some kinds.
 */
import { fillers, isReplayable, keyOf, onOwnServer, openStore } from './records/fill-store.ts'

const FEW = 10_000
const MANY = Number(process.env.RECORDS ?? 1_000_000)
const ROUNDS = 40
const CALLS = 50
const DAY_MS = 86_400_000

interface Side {
  readonly records: number
  readonly bytes: number
  fresh(): Promise<unknown>
  replay(): Promise<unknown>
  purge(): Promise<unknown>
}

async function fill(kind: string, url: string, records: number): Promise<Side> {
  const { store } = await openStore(url)
  const terms = { fingerprint: 'f', leaseMs: 30_000, retentionMs: DAY_MS }
  await fillers[kind]?.fill(url, records, { expired: true })
  const made = await store.get(keyOf(3))
  if (made?.state !== 'completed' || !made.result) throw new Error(`${kind}: the copies are no records.`)
  const { fingerprint, result } = made
  let calls = 0
  return {
    records,
    bytes: ((await fillers[kind]?.bytes(url)) ?? 0) / records,
    async fresh() {
      const key = `shop.fresh.${calls++}`
      const { token } = await store.begin(key, { ...terms, owner: key })
      await store.transition(key, token, { to: 'completed', result, retentionMs: DAY_MS })
    },
    async replay() {
      let number = 0
      while (!isReplayable(number)) number = Math.ceil(Math.random() * records)
      const { outcome } = await store.begin(keyOf(number), { ...terms, fingerprint, owner: 'another' })
      if (outcome !== 'settled') throw new Error(`${kind}: a replay was ${outcome}.`)
    },
    purge: async () => store.purge?.({ limit: 100 }),
  }
}

/** The median of the milliseconds that a call takes. */
async function timed(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let left = CALLS; left > 0; left--) {
    const start = performance.now()
    await call()
    times.push(performance.now() - start)
  }
  return median(times)
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

async function compare(kind: string, few: Side, many: Side): Promise<void> {
  process.stdout.write(`${kind}: ${few.bytes.toFixed(0)} and ${many.bytes.toFixed(0)} bytes a record\n`)
  for (const scenario of ['fresh', 'replay'] as const) {
    const rounds: (readonly [number, number])[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const purges = Promise.all([few.purge(), many.purge()])
      const sides = round % 2 === 0 ? [few, many] : [many, few]
      const times = new Map<Side, number>()
      for (const side of sides) times.set(side, await timed(side[scenario]))
      await purges
      // the first ones make the code warm
      if (round > 1) rounds.push([times.get(few) ?? Number.NaN, times.get(many) ?? Number.NaN])
    }
    const ms = [0, 1].map((side) => median(rounds.map((times) => times[side] ?? Number.NaN)).toFixed(3))
    const ratio = median(rounds.map(([one, other]) => other / one)).toFixed(2)
    process.stdout.write(
      `${kind}: ${scenario.padEnd(7)} ${ms.join(' and ')} ms among ${few.records} and ${many.records}, ratio ${ratio}\n`,
    )
  }
}

/** Room for all records: MariaDB takes 128 MiB by itself, and a server of today gets most of the memory of its machine. */
const roomOf = (kind: string) =>
  kind === 'mariadb' ? [`--innodb-buffer-pool-size=${Math.ceil(MANY / 1_000_000)}G`] : []

for (const kind of process.env.STORES?.split(',') ?? Object.keys(fillers)) {
  const options = { durable: true, args: roomOf(kind) }
  await onOwnServer(kind, options, (small) =>
    onOwnServer(kind, options, async (large) =>
      compare(kind, await fill(kind, small, FEW), await fill(kind, large, MANY)),
    ),
  )
}
process.exit()
