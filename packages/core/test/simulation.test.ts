/** Checks invariants of a fleet, whatever happens to it: lost and late replies, refusals, pauses past the lease, crashes, failures. */
import type { Fault } from '@retryproof/conformance'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Client,
  type Execution,
  type Played,
  PROCESSES,
  play,
  type Scenario,
  type Trouble,
} from './simulated-fleet.ts'
import { onVirtualTime } from './testbed.ts'

const numRuns = Number(process.env.FC_RUNS ?? 300)
const timeout = 10_000 + 100 * numRuns

const anyProcess = fc.nat({ max: PROCESSES - 1 })
const anyDelay = fc.constantFrom(1, 100, 300, 500, 900, 1500)
const anyClients: fc.Arbitrary<Client[]> = fc.array(
  fc.record({
    process: anyProcess,
    startsAt: fc.nat({ max: 3000 }),
    tries: fc.integer({ min: 1, max: 6 }),
    waitMs: fc.constantFrom(0, 0, 2000),
  }),
  { minLength: 1, maxLength: 6 },
)
const anyExecutions: fc.Arbitrary<Execution[]> = fc.array(
  fc.record({
    ms: fc.constantFrom(0, 50, 700, 1500, 4000),
    end: fc.constantFrom<Execution['end'][]>('value', 'value', 'value', 'throw', 'store', 'release'),
  }),
  { maxLength: 6 },
)
const anyFaults: fc.Arbitrary<Scenario['faults'][number][]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.constantFrom<Fault[]>('refuse', 'lose request', 'lose reply') },
    { weight: 1, arbitrary: anyDelay.map((delayMs) => ({ delayMs })) },
    { weight: 2, arbitrary: anyDelay.map((lateMs) => ({ lateMs })) },
  ),
  { maxLength: 60, size: 'max' },
)
const anyTroubles: fc.Arbitrary<Trouble[]> = fc.array(
  fc.record({
    process: anyProcess,
    at: fc.nat({ max: 6000 }),
    kind: fc.constantFrom<Trouble['kind'][]>('crash', 'pause', 'pause'),
    forMs: fc.constantFrom(300, 1200, 3000),
  }),
  { maxLength: 4 },
)
const parts = {
  seed: fc.integer(),
  storeTimeoutMs: fc.constantFrom(400, 2500),
  clients: anyClients,
  executions: anyExecutions,
}
const calm = fc.record({ ...parts, faults: fc.constant([]), troubles: fc.constant([]) })
const troubled = fc.record({ ...parts, faults: anyFaults, troubles: anyTroubles })

onVirtualTime()

/** That no run begins once a result is known, and that no two attempts hold the key, is checked while it plays. */
function check({ ends, answers, last }: Played): void {
  const made = ends.map((_, i) => `made by run ${i + 1}`)
  expect(last.kind, 'once all is calm, there is a result on record').toBe('recorded')
  for (const answer of answers) {
    if (answer.kind !== 'failed') expect(made, 'a value that no run made').toContain(answer.value)
    if (answer.kind === 'recorded') expect(answer, 'another result than the recorded one').toEqual(last)
  }
}

test('without faults, one run settles the key, and everybody is given its result', { timeout }, async () => {
  await fc.assert(
    fc.asyncProperty(calm, async (scenario) => {
      const played = await play(scenario)
      check(played)
      expect(played.ends.filter((end) => end === 'value' || end === 'store')).toHaveLength(1)
    }),
    { numRuns },
  )
})

test('with faults, nobody is given another result than the recorded one, and no two attempts hold the key', {
  timeout,
}, async () => {
  await fc.assert(
    fc.asyncProperty(troubled, async (scenario) => check(await play(scenario))),
    { numRuns },
  )
})

test('a scenario plays the same way each time', async () => {
  for (const scenario of fc.sample(troubled, { numRuns: 5, seed: 7 })) {
    expect(await play(scenario)).toEqual(await play(scenario))
  }
})
