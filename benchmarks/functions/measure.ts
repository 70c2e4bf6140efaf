/** Measures every subject of a driver in turn, round after round, so that what disturbs one disturbs the others too. */

import type { Driver, Json, Opened, Subject } from './subject.ts'

export const scenarios = ['fresh', 'replay', 'conflict'] as const
export type Scenario = (typeof scenarios)[number]

/** Microseconds of one call: of the clock (all callers together), and of the CPU of this process. */
export interface Sample {
  readonly wallUs: number
  readonly cpuUs: number
}

export interface Cell {
  readonly driver: Driver
  readonly subject: Subject
  readonly scenario: Scenario
  readonly callers: number
  readonly samples: readonly Sample[]
}

export interface Plan {
  readonly rounds: number
  /** The time for one cell in one round. */
  readonly cellMs: number
  readonly callers: readonly number[]
}

/**
 * The least of each cell in the first round, which is not counted. After 2,000 calls of the core some of its code is still
 * interpreted, and a cell of 100 ms then shows how many calls it happened to have.
 */
const WARM_UP = { calls: 2_000, ms: 500 }
/** Keys that are settled before the replays are measured. */
const SETTLED = 64
const items = Array.from({ length: 20 }, (_, index) => ({ sku: `sku-${index}`, quantity: index, price: index * 100 }))
export const payload: Json = { amount: 100, currency: 'EUR', items }
export const answer: Json = { id: 'charge_1', amount: 100, note: 'x'.repeat(950) }
const work = async (): Promise<Json> => ({ ...answer })

export async function measure(driver: Driver, { rounds, cellMs, callers }: Plan): Promise<Cell[]> {
  const cells = driver.subjects.flatMap((subject) =>
    callers.flatMap((count) =>
      scenarios.map((scenario) => ({ driver, subject, scenario, callers: count, samples: [] as Sample[] })),
    ),
  )
  const opened = new Map<Subject, Opened>()
  // one instance for all rounds, as an application has: a new one would begin with code that is not compiled
  for (const subject of driver.subjects) opened.set(subject, await subject.open())
  for (let round = 0; round <= rounds; round++) {
    for (const [subject, each] of opened) {
      const prefix = `r${round}-${subject.kind}-${Date.now().toString(36)}`
      for (const cell of cells) {
        if (cell.subject !== subject) continue
        const call = await callOf(each, cell.scenario, `${prefix}-${cell.callers}`)
        if (round === 0) await runFor(Math.max(cellMs, WARM_UP.ms), cell.callers, call, WARM_UP.calls)
        else cell.samples.push(await runFor(cellMs, cell.callers, call))
      }
    }
  }
  for (const each of opened.values()) await each.close?.()
  return cells
}

/** Returns one call of a scenario, whose keys are ready. */
export async function callOf(opened: Opened, scenario: Scenario, prefix: string): Promise<() => Promise<unknown>> {
  let calls = 0
  switch (scenario) {
    case 'fresh':
      return () => opened.run(`${prefix}-f${calls++}`, payload, work)
    case 'replay':
      // twice, so that a cache has what it keeps
      for (let turn = 0; turn < 2; turn++) {
        await Promise.all(Array.from({ length: SETTLED }, (_, key) => opened.run(`${prefix}-s${key}`, payload, work)))
      }
      return () => opened.run(`${prefix}-s${calls++ % SETTLED}`, payload, work)
    case 'conflict': {
      await new Promise<void>((started) => {
        // nobody ends it: it is held until the round is over
        const held = opened.run(`${prefix}-h`, payload, () => new Promise<Json>(() => started()))
        held.catch(() => undefined)
      })
      return () => opened.run(`${prefix}-h`, payload, work).then(notHeld, () => undefined)
    }
  }
}

function notHeld(): never {
  throw new Error('A key that is held was not refused.')
}

async function runFor(ms: number, callers: number, call: () => Promise<unknown>, least = 0): Promise<Sample> {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const endsAt = startedAt + ms
  let calls = 0
  const caller = async () => {
    for (; performance.now() < endsAt || calls < least; calls++) await call()
  }
  await Promise.all(Array.from({ length: callers }, caller))
  const wallMs = performance.now() - startedAt
  const { user, system } = process.cpuUsage(cpu)
  return { wallUs: (wallMs * 1000) / calls, cpuUs: (user + system) / calls }
}
