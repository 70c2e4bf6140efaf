import assert from 'node:assert/strict'
import type { BindingCheck } from '../check.ts'
import { assertReplay, statuses } from '../expectations.ts'

export const transactionChecks: readonly BindingCheck[] = [
  {
    id: 'transaction-commits',
    title: 'what a handler wrote and its answer commit together',
    needs: ['transactions'],
    run: async (client) => {
      const sent = { json: { status: 201 } }
      const [first, again] = [await client.send('/transaction', sent), await client.send('/transaction', sent)]
      assert.deepEqual([first.status, first.json()], [201, { runs: 1, attempt: 1 }])
      assertReplay(first, again)
      assert.equal(await client.isWritten(), true)
    },
  },
  {
    id: 'transaction-refusal',
    title: 'a refusal is kept, and what its handler wrote is not',
    needs: ['transactions'],
    run: async (client) => {
      const sent = { json: { status: 402 } }
      const [first, again] = [await client.send('/transaction', sent), await client.send('/transaction', sent)]
      assert.equal(first.status, 402)
      assertReplay(first, again)
      assert.deepEqual([await client.isWritten(), await client.runs()], [false, 1])
    },
  },
  {
    id: 'transaction-failure',
    title: 'a handler that fails leaves nothing behind, and its key is free',
    needs: ['transactions'],
    run: async (client) => {
      for (const status of [500, null]) {
        const sent = { json: { status }, key: `${client.key}-${status ?? 'thrown'}` }
        assert.deepEqual(
          statuses([await client.send('/transaction', sent), await client.send('/transaction', sent)]),
          [500, 500],
        )
      }
      assert.deepEqual([await client.isWritten(), await client.runs()], [false, 4])
    },
  },
]
