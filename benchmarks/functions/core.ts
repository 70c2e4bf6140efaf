/** The cost of one call in the core and the memory store: CPU, bytes allocated, timers made. */
import { Session } from 'node:inspector/promises'
import { answer, payload } from './measure.ts'
import { median } from './report.ts'
import type { Opened } from './subject.ts'
import { memory } from './subjects/memory.ts'

const WARM_UP = 20_000
const ROUNDS = 9
const CALLS = 5_000
const SETTLED = 64

interface Cost {
  readonly cpuUs: number
  readonly bytes: number
  readonly timers: number
}

/** Returns a table of the floor and of Retryproof. */
export async function coreTable(): Promise<string> {
  const rows: string[] = [
    '| | fresh: CPU, µs | bytes | timers | replay: CPU, µs | bytes | timers |',
    '|---|---|---|---|---|---|---|',
  ]
  for (const { kind, name, open } of memory.subjects) {
    if (kind === 'peer') continue
    const cells: string[] = []
    for (const keys of [Number.POSITIVE_INFINITY, SETTLED]) {
      const { cpuUs, bytes, timers } = await costOf(await open(), keys)
      cells.push(cpuUs.toFixed(1), bytes.toFixed(0), timers.toFixed(2))
    }
    rows.push(`| ${name} | ${cells.join(' | ')} |`)
  }
  return rows.join('\n')
}

/** Calls with so many keys: after the first turn, they are replays. */
async function costOf({ run }: Opened, keys: number): Promise<Cost> {
  let made = 0
  const calls = async (count: number) => {
    for (let left = count; left > 0; left--) await run(`k${made++ % keys}`, payload, async () => ({ ...answer }))
  }
  await calls(WARM_UP)
  const cpu: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    await calls(CALLS)
    const { user, system } = process.cpuUsage(before)
    cpu.push((user + system) / CALLS)
  }
  return {
    cpuUs: median(cpu),
    bytes: (await bytesOf(() => calls(CALLS))) / CALLS,
    timers: (await timersOf(() => calls(CALLS))) / CALLS,
  }
}

interface Allocated {
  readonly selfSize: number
  readonly children: readonly Allocated[]
}

/** Bytes on the heap, also of what is collected already; what lies outside of it (the bytes of arrays) is not counted. */
async function bytesOf(work: () => Promise<void>): Promise<number> {
  const session = new Session()
  session.connect()
  const options = {
    samplingInterval: 1024,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  }
  await session.post('HeapProfiler.startSampling', options)
  await work()
  const { profile } = await session.post('HeapProfiler.stopSampling')
  session.disconnect()
  const sum = ({ selfSize, children }: Allocated): number =>
    children.reduce((total, child) => total + sum(child), selfSize)
  return sum(profile.head)
}

async function timersOf(work: () => Promise<void>): Promise<number> {
  const { setTimeout } = globalThis
  let made = 0
  const counting = (...args: Parameters<typeof setTimeout>) => {
    made++
    return setTimeout(...args)
  }
  globalThis.setTimeout = counting as typeof setTimeout
  await work()
  globalThis.setTimeout = setTimeout
  return made
}
