import assert from 'node:assert/strict'
import type { BindingCheck } from '../check.ts'
import { assertProblem, assertReplay, describeAnswer, statuses } from '../expectations.ts'

/** A status that the handler answers each time, and how often it runs for two requests. */
function outcome(status: number, runs: number, others: Partial<BindingCheck> = {}): BindingCheck {
  return {
    id: `outcome-${status}`,
    title: `${status} ${runs === 1 ? 'is kept' : 'releases the key'}`,
    run: async (client) => {
      const sent = { json: { status } }
      assert.deepEqual(statuses([await client.send('/status', sent), await client.send('/status', sent)]), [
        status,
        status,
      ])
      assert.equal(await client.runs(), runs)
    },
    ...others,
  }
}

export const outcomeChecks: readonly BindingCheck[] = [
  outcome(200, 1),
  outcome(404, 1),
  outcome(401, 2),
  outcome(429, 2),
  outcome(500, 2, { peers: ['IDJ 8', 'NI 10'] }),
  {
    id: 'outcome-throw',
    title: 'a handler that throws answers 500 as ever, and releases the key',
    peers: ['NI 10'],
    run: async (client) => {
      assert.deepEqual(statuses([await client.send('/throws'), await client.send('/throws')]), [500, 500])
      assert.equal(await client.runs(), 2)
    },
  },
  {
    id: 'outcome-throw-status',
    title: 'the final status decides, thrown or returned',
    peers: ['NI 9'],
    needs: ['errors with a status'],
    run: async (client) => {
      const released = await client.send('/fails')
      const [kept, again] = [await client.send('/fails'), await client.send('/fails')]
      assert.deepEqual(statuses([released, kept]), [503, 402])
      assertReplay(kept, again)
      assert.equal(await client.runs(), 2)
    },
  },
  {
    id: 'outcome-throw-late',
    title: 'a handler that throws after it has answered gives one answer, and runs once',
    needs: ['answers by a call'],
    run: async (client) => {
      // some frameworks cut the connection of whoever fails after having answered
      const first = await client.send('/throws-late').catch(() => undefined)
      assert.ok(first === undefined || first.status === 201, first && describeAnswer(first))
      const again = await client.send('/throws-late')
      assert.deepEqual([again.status, again.json()], [201, { runs: 1 }])
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'outcome-hang',
    title: 'a handler that never answers loses its key after maxRun',
    run: async (client) => {
      const hanging = client.begin('/hangs')
      await client.reached({ runs: 1 })
      const answer = await client.send('/hangs')
      assert.deepEqual([answer.status, answer.json()], [201, { runs: 2 }])
      hanging.leave()
    },
  },
  {
    id: 'outcome-policy',
    title: 'a policy that records everything keeps server errors too',
    peers: ['HI 9'],
    run: async (client) => {
      const sent = { headers: { 'X-User': 'ann' } }
      const [first, again] = [await client.send('/by-user', sent), await client.send('/by-user', sent)]
      assert.equal(first.status, 500)
      assertReplay(first, again)
    },
  },
  {
    id: 'outcome-attempt',
    title: 'the handler is given its attempt',
    run: async (client) => {
      const [first, second] = [await client.send('/attempt'), await client.send('/attempt')]
      const { key, ...told } = first.json() as { key: string }
      assert.deepEqual([first.status, told], [500, { number: 1, interrupted: false, aborted: false, hasToken: true }])
      const next = second.json() as { number: number; key: string }
      assert.deepEqual([second.status, next.number, next.key], [200, 2, key])
    },
  },
  {
    id: 'outcome-unreachable',
    title: 'an outage of the store is answered with 503, and nothing runs',
    peers: ['NI 3'],
    run: async (client) => {
      const answer = await client.send('/unreachable')
      assertProblem(answer, 503, 'unavailable')
      assert.ok(!answer.body.includes('hunter2'), 'the answer tells what only the operator may know')
      assert.equal(await client.runs(), 0)
    },
  },
  {
    id: 'outcome-unrecorded',
    title: 'an answer that cannot be recorded still reaches its caller, and is not run again',
    peers: ['EI 7', 'HI 6', 'NI 4'],
    run: async (client) => {
      const first = await client.send('/unrecorded')
      assert.deepEqual([first.status, (first.json() as { runs: number }).runs], [201, 1])
      assertProblem(await client.send('/unrecorded'), 409, 'in-progress')
      assert.equal(await client.runs(), 1)
    },
  },
]
