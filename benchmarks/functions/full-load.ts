/** A long run at full load: calls a second, latency, the heap, and what the database says of its own work. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { answer, payload } from './measure.ts'
import type { Driver } from './subject.ts'

const CALLERS = 64
/** One call in so many is a replay of the one before it. */
const REPLAY_EACH = 4
const PARTS = 10

/** Gives the counts of a database since the call before, as words for a table. */
export type Counters = (calls: number) => Promise<string>

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Prints a row for each tenth of the time, and at the end the slope of the heap. */
export async function fullLoad(
  driver: Driver,
  minutes: number,
  counters: Counters,
  print: (line: string) => void,
): Promise<void> {
  const subject = driver.subjects.find(({ kind }) => kind === 'ours')
  if (!subject) return
  const { run, close } = await subject.open()
  const partMs = (minutes * 60_000) / PARTS
  const heaps: number[] = []
  let made = 0
  let keys = 0
  await counters(1)
  print(`\n| ${driver.name}: minutes | calls a second | p50, ms | p99, ms | heap after collection, MB | |`)
  print('|---|---|---|---|---|---|')
  for (let part = 1; part <= PARTS; part++) {
    const times: number[] = []
    const endsAt = performance.now() + partMs
    const caller = async () => {
      for (let key = ''; performance.now() < endsAt; made++) {
        const isReplay = made % REPLAY_EACH === 0 && key !== ''
        if (!isReplay) key = `f${keys++}`
        const startedAt = performance.now()
        await run(key, payload, async () => ({ ...answer }))
        times.push(performance.now() - startedAt)
      }
    }
    await Promise.all(Array.from({ length: CALLERS }, caller))
    const sorted = Float64Array.from(times).sort()
    const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1)
    const calls = times.length
    times.length = 0
    collectGarbage()
    heaps.push(process.memoryUsage().heapUsed / 2 ** 20)
    const cells = [
      ((part * minutes) / PARTS).toFixed(1),
      ((calls * 1000) / partMs).toFixed(0),
      at(0.5),
      at(0.99),
      heaps.at(-1)?.toFixed(1),
      await counters(calls),
    ]
    print(`| ${cells.join(' | ')} |`)
  }
  await close?.()
  print(`\nHeap, from the second part on: ${(slopeOf(heaps.slice(1)) * (PARTS / minutes)).toFixed(3)} MB a minute`)
}

/** The slope of the straight line that is nearest to the values, for one step. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  let products = 0
  let squares = 0
  values.forEach((value, index) => {
    products += (index - middle) * (value - mean)
    squares += (index - middle) ** 2
  })
  return products / squares
}
