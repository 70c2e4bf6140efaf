import assert from 'node:assert/strict'
import type { BindingCheck } from '../check.ts'
import { assertProblem, assertReplay, assertReplayed } from '../expectations.ts'

/** Checks of two guards on one request. */
export const stackedChecks: readonly BindingCheck[] = [
  {
    id: 'stacked-nearest',
    title: 'two guards of one operation are one, and the nearest decides what is recorded',
    run: async (client) => {
      const [first, again] = [await client.send('/stacked'), await client.send('/stacked')]
      assert.deepEqual([first.status, first.json()], [500, { runs: 1 }])
      assertReplay(first, again)
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'stacked-operations',
    title: 'two guards of two operations give one answer, and replay it',
    run: async (client) => {
      await assertReplayed(client, '/stacked-operations', { key: `"${client.key}"` })
    },
  },
  {
    id: 'stacked-replay',
    title: 'a replay of the inner guard reaches its client, though the outer one records nothing',
    run: async (client) => {
      const first = await client.send('/stacked-kept')
      for (let sent = 0; sent < 2; sent++) assertReplay(first, await client.send('/stacked-kept'))
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'stacked-refusal',
    title: 'a refusal of the inner guard is recorded by none further out',
    run: async (client) => {
      assertProblem(await client.send('/stacked-operations'), 400, 'key-invalid')
      const answer = await client.send('/stacked-operations', { key: `"${client.key}"` })
      assert.deepEqual([answer.status, answer.header('idempotency-replayed')], [201, undefined])
      assert.equal(await client.runs(), 1)
    },
  },
]
