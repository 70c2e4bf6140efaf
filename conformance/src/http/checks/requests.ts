import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { BindingCheck } from '../check.ts'
import type { BindingClient } from '../client.ts'
import { assertProblem, assertReplayed, statuses } from '../expectations.ts'

/** A key that is refused, and nothing runs. */
function refused(name: string, key: string | readonly string[] | null, others: Partial<BindingCheck> = {}) {
  const type = key === null ? 'key-missing' : 'key-invalid'
  return {
    id: `key-${name.replaceAll(' ', '-')}`,
    title: `a key that is ${name} is refused with 400`,
    run: async (client: BindingClient) => {
      assertProblem(await client.send('/json', { key }), 400, type)
      assert.equal(await client.runs(), 0)
    },
    ...others,
  } satisfies BindingCheck
}

/** Two requests that differ in this only, with one key. */
function mismatch(id: string, title: string, sent: readonly [string, string], others: Partial<BindingCheck> = {}) {
  return {
    id,
    title,
    run: async (client: BindingClient) => {
      const first = await client.send('/json', { body: sent[0] })
      assert.equal(first.status, 201)
      assertProblem(await client.send('/json', { body: sent[1] }), 422, 'key-reused')
      assert.equal((await client.send('/json', { body: sent[0] })).header('idempotency-replayed'), 'true')
      assert.equal(await client.runs(), 1)
    },
    ...others,
  } satisfies BindingCheck
}

export const requestChecks: readonly BindingCheck[] = [
  refused('missing', null),
  refused('empty', ''),
  refused('too long', 'k'.repeat(256), { peers: ['NI 12', 'UI 6'] }),
  refused('an unbalanced string', '"k1'),
  refused('a list', 'k1, k2'),
  refused('sent twice', ['k1', 'k1']),
  refused('sent in halves', ['"k', '1"'], { needs: ['repeated headers'] }),
  {
    id: 'key-quoted',
    title: 'a key and the same key in quotes are one, parameters or not',
    peers: ['IDJ 10', 'NA 7'],
    run: async (client) => {
      for (const key of [client.key, `"${client.key}"`, `"${client.key}";v=1`]) {
        assert.equal((await client.send('/json', { key })).status, 201)
      }
      assert.equal((await client.send('/json', { key: `"${client.key}, and more"` })).status, 201)
      assert.equal(await client.runs(), 2)
    },
  },
  {
    id: 'key-optional',
    title: 'where no key is required, a request without one runs each time, and one with a key once',
    run: async (client) => {
      const plain = [await client.send('/optional', { key: null }), await client.send('/optional', { key: null })]
      assert.deepEqual(
        plain.map((answer) => answer.json()),
        [
          { runs: 1, guarded: false },
          { runs: 2, guarded: false },
        ],
      )
      const guarded = [await client.send('/optional'), await client.send('/optional')]
      assert.deepEqual(
        guarded.map((answer) => answer.json()),
        [
          { runs: 3, guarded: true },
          { runs: 3, guarded: true },
        ],
      )
    },
  },
  {
    id: 'two-keys',
    title: 'the same request under another key is another operation',
    peers: ['IDJ 2'],
    run: async (client) => {
      const sent = { json: { amount: 100 } }
      for (const key of [randomUUID(), randomUUID()]) {
        assert.equal((await client.send('/json', { ...sent, key })).header('idempotency-replayed'), undefined)
      }
      assert.equal(await client.runs(), 2)
    },
  },
  mismatch('body-mismatch', 'a key that is used for another payload is refused with 422', [
    '{"amount":1}',
    '{"amount":1000}',
  ]),
  mismatch(
    'body-large-integers',
    'integers beyond 2^53 are told apart',
    ['{"id":9007199254740992}', '{"id":9007199254740993}'],
    { peers: ['IDJ 11'], needs: ['raw bodies'] },
  ),
  {
    id: 'body-prototype',
    title: 'no member of a body is overlooked, whatever its name',
    needs: ['raw bodies'],
    run: async (client) => {
      // parsers may refuse such a name
      const first = await client.send('/json', { body: '{"__proto__":{"amount":1}}' })
      const other = await client.send('/json', { body: '{"__proto__":{"amount":1000}}' })
      assert.deepEqual([first.status, other.status], first.status === 201 ? [201, 422] : [400, other.status])
      assert.equal(other.header('idempotency-replayed'), undefined)
    },
  },
  {
    id: 'body-order',
    title: 'the order of members is no other payload',
    peers: ['NI 12'],
    run: async (client) => {
      const bodies = ['{"amount":1,"to":"ann"}', '{ "to": "ann", "amount": 1 }']
      const answers = [
        await client.send('/json', { body: bodies[0] ?? '' }),
        await client.send('/json', { body: bodies[1] ?? '' }),
      ]
      assert.deepEqual([statuses(answers), await client.runs()], [[201, 201], 1])
    },
  },
  {
    id: 'body-query',
    title: 'another query is another payload, and no second execution',
    peers: ['NI 6', 'HI 7'],
    run: async (client) => {
      assert.equal((await client.send('/json?amount=10')).status, 201)
      assertProblem(await client.send('/json?amount=1000'), 422, 'key-reused')
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'body-octets',
    title: 'a body of any octets comes to the handler as it was sent',
    peers: ['IDJ 14'],
    run: async (client) => {
      const body = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256)
      const sent = { body, headers: { 'Content-Type': 'application/octet-stream' } }
      const [first] = await assertReplayed(client, '/echo', sent)
      assert.equal(first.status, 200)
      assert.ok(first.body.equals(body), 'the handler got other octets than were sent')
    },
  },
  {
    id: 'body-json',
    title: 'a body of JSON comes to the handler as its value',
    run: async (client) => {
      const [first] = await assertReplayed(client, '/echo', { json: { amount: 1, to: 'Zoë' } })
      assert.deepEqual([first.status, first.json()], [200, { amount: 1, to: 'Zoë' }])
    },
  },
  {
    id: 'body-unknown-length',
    title: 'a body of unknown length counts as one of known length does',
    run: async (client) => {
      const sent = { json: { amount: 1 }, headers: { 'Transfer-Encoding': 'chunked' } }
      const [first] = await assertReplayed(client, '/echo', sent)
      assert.deepEqual(first.json(), { amount: 1 })
    },
  },
]
