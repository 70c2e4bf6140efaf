import assert from 'node:assert/strict'
import type { BindingCheck } from '../check.ts'
import { assertReplayed } from '../expectations.ts'

export const routeChecks: readonly BindingCheck[] = [
  {
    id: 'route-operations',
    title: 'one key on two routes is two operations',
    peers: ['IDJ 1'],
    run: async (client) => {
      const answers = [await client.send('/json'), await client.send('/text')]
      assert.ok(answers.every((answer) => answer.header('idempotency-replayed') === undefined))
      assert.equal(await client.runs(), 2)
    },
  },
  {
    id: 'route-prefixes',
    title: 'routers that are mounted under different prefixes do not collide',
    peers: ['NI 6'],
    needs: ['routes'],
    run: async (client) => {
      const answers = [await client.send('/payments/create'), await client.send('/refunds/create')]
      assert.deepEqual(
        answers.map((answer) => answer.json()),
        [{ made: 'payment' }, { made: 'refund' }],
      )
    },
  },
  {
    id: 'route-methods',
    title: 'HEAD passes untouched, unless it is named',
    run: async (client) => {
      for (let sent = 0; sent < 2; sent++) {
        assert.equal((await client.send('/untouched', { method: 'HEAD' })).header('idempotency-replayed'), undefined)
      }
      assert.equal(await client.runs(), 2)
    },
  },
  {
    id: 'route-own-method',
    title: 'the method of a route for that alone is guarded without being named',
    needs: ['routes'],
    run: async (client) => {
      await assertReplayed(client, '/own', { method: 'PUT' })
    },
  },
  {
    id: 'route-delete',
    title: 'a DELETE that is named replays',
    run: async (client) => {
      await assertReplayed(client, '/deleted', { method: 'DELETE' })
    },
  },
  {
    id: 'route-options',
    title: 'two guards with different options on one application do not interfere',
    peers: ['EI 6'],
    run: async (client) => {
      assert.equal((await client.send('/strict')).status, 400)
      assert.equal((await client.send('/json')).status, 201)
      assert.equal((await client.send('/strict', { key: `"${client.key}"` })).status, 201)
    },
  },
  {
    id: 'route-users',
    title: 'nobody is given the answer of another user',
    peers: ['NA 2'],
    run: async (client) => {
      const users: unknown[] = []
      for (const user of ['alice', 'bob', 'alice']) {
        users.push((await client.send('/by-user', { headers: { 'X-User': user } })).json())
      }
      assert.deepEqual(users, [
        { runs: 1, user: 'alice' },
        { runs: 2, user: 'bob' },
        { runs: 1, user: 'alice' },
      ])
    },
  },
  {
    id: 'route-pretence',
    title: 'no header of a client makes its first request a replay',
    peers: ['EI 1', 'EI 2'],
    run: async (client) => {
      await assertReplayed(client, '/json', { headers: { 'Idempotency-Replayed': 'true', 'X-Hit': 'true' } })
    },
  },
]
