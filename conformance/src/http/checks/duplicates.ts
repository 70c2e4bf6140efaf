import assert from 'node:assert/strict'
import type { BindingCheck } from '../check.ts'
import { assertProblem, assertReplay, statuses } from '../expectations.ts'

const DUPLICATES = 10

export const duplicateChecks: readonly BindingCheck[] = [
  {
    id: 'duplicates-at-once',
    title: 'of many duplicates at once one runs, and the others are told when to come again',
    peers: ['NA 7'],
    run: async (client) => {
      const first = client.begin('/gated')
      await client.reached({ runs: 1 })
      const others = await Promise.all(Array.from({ length: DUPLICATES }, () => client.send('/gated')))
      for (const other of others) assertProblem(other, 409, 'in-progress')
      await client.openGate()
      assert.equal((await first.received()).status, 201)
      assertReplay(await first.received(), await client.send('/gated'))
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'duplicates-storm',
    title: 'duplicates that nobody holds up run once',
    run: async (client) => {
      const answers = await Promise.all(Array.from({ length: DUPLICATES }, () => client.send('/json')))
      assert.ok(
        answers.every(({ status }) => status === 201 || status === 409),
        String(statuses(answers)),
      )
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'duplicates-after-release',
    title: 'of many that find a released key one runs',
    peers: ['UI 3'],
    run: async (client) => {
      assert.equal((await client.send('/recovers')).status, 500)
      const next = client.begin('/recovers')
      await client.reached({ runs: 2 })
      const others = await Promise.all(Array.from({ length: DUPLICATES }, () => client.send('/recovers')))
      assert.deepEqual(statuses(others), Array(DUPLICATES).fill(409))
      await client.openGate()
      assert.deepEqual((await next.received()).json(), { runs: 2 })
      assert.equal(await client.runs(), 2)
    },
  },
  {
    id: 'duplicates-wait',
    title: 'duplicates that wait are given the answer of the first',
    run: async (client) => {
      const first = client.begin('/awaited')
      await client.reached({ runs: 1 })
      const others = Array.from({ length: DUPLICATES }, () => client.begin('/awaited').received())
      await client.openGate()
      for (const other of others) assertReplay(await first.received(), await other)
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'duplicates-refused',
    title: 'neither a mismatch nor a refused duplicate changes what is recorded',
    peers: ['NI 1'],
    run: async (client) => {
      const first = client.begin('/gated', { json: { amount: 100 } })
      await client.reached({ runs: 1 })
      assertProblem(await client.send('/gated', { json: { amount: 999 } }), 422, 'key-reused')
      assertProblem(await client.send('/gated', { json: { amount: 100 } }), 409, 'in-progress')
      await client.openGate()
      assert.equal((await first.received()).status, 201)
      assertProblem(await client.send('/gated', { json: { amount: 999 } }), 422, 'key-reused')
      assertReplay(await first.received(), await client.send('/gated', { json: { amount: 100 } }))
      assert.equal(await client.runs(), 1)
    },
  },
]
