import assert from 'node:assert/strict'
import { gunzipSync } from 'node:zlib'
import type { BindingCheck } from '../check.ts'
import type { BindingClient } from '../client.ts'
import { assertProblem, assertReplay, assertReplayed, sendUntilDecided } from '../expectations.ts'

const gzip = { headers: { 'Accept-Encoding': 'gzip' } }

/** An answer of which the replay is the same byte for byte. */
function same(name: string, path: string, status: number, others: Partial<BindingCheck> = {}): BindingCheck {
  return {
    id: `replay-${path.slice(1)}`,
    title: `the replay of ${name} is the first answer, byte for byte`,
    run: async (client) => {
      const [first] = await assertReplayed(client, path)
      assert.equal(first.status, status)
    },
    ...others,
  }
}

export const replayChecks: readonly BindingCheck[] = [
  same('JSON', '/json', 201, {
    peers: ['NI 9'],
    run: async (client) => {
      const [first, again] = await assertReplayed(client, '/json')
      assert.deepEqual(again.json(), { runs: 1, name: 'Zoë' })
      assert.equal(first.header('location'), '/charges/1')
      assert.deepEqual(again.values('link').join(', '), '</a>; rel="a", </b>; rel="b"')
    },
  }),
  same('text', '/text', 200),
  same('204', '/no-content', 204, { peers: ['NI 2'] }),
  same('a redirect', '/redirect', 303, {
    peers: ['HI 4'],
    run: async (client) => {
      const [first] = await assertReplayed(client, '/redirect')
      assert.equal(first.status, 303)
      // some frameworks make it absolute
      assert.match(first.header('location') ?? '', /\/charges\/1$/)
    },
  }),
  same('1 MiB of octets', '/bytes', 200, {
    peers: ['IDJ 6', 'HI 5', 'NA 3'],
    run: async (client) => {
      const [{ body }] = await assertReplayed(client, '/bytes')
      assert.equal(body.length, 1_048_576)
      assert.ok(body.every((octet, index) => octet === (index === 0 ? 1 : index % 256)))
    },
  }),
  same('a part of something', '/partial', 206),
  same('what was written in pieces', '/pieces', 200, { peers: ['IDJ 6', 'NI 7'] }),
  same('a refusal', '/refusal', 402, { peers: ['NI 9'] }),
  {
    id: 'replay-without',
    title: 'a header that the handler removed or changed is as absent or as changed in the replay',
    needs: ['headers of others'],
    run: async (client) => {
      for (const answer of await assertReplayed(client, '/without')) {
        assert.equal(answer.header('x-ratelimit-remaining'), undefined)
        assert.deepEqual(answer.values('access-control-allow-origin'), ['https://shop.example'])
        assert.notEqual(answer.header('x-request-id'), undefined)
      }
    },
  },
  {
    id: 'replay-serialized',
    title: 'what the serialization of an answer hides is hidden in its replay, and not recorded',
    peers: ['IDJ 7'],
    run: async (client) => {
      const [, again] = await assertReplayed(client, '/serialized')
      assert.equal(again.body.toString(), '{"id":1}')
      assert.equal((await client.told('passwordHash')).isTold, false)
    },
  },
  {
    id: 'replay-recorded-first',
    title: 'an answer is recorded before its last byte leaves, however slow the store is',
    peers: ['IDJ 15'],
    run: async (client) => {
      await assertReplayed(client, '/slow')
    },
  },
  same('what was written past the framework', '/raw', 201, { peers: ['NA 6'], needs: ['raw responses'] }),
  ...['/deleted-end', '/deleted-methods'].map((path) => ({
    id: `replay-${path.slice(1)}`,
    title: `what was sent by methods of the server itself is whole, and nothing runs twice: ${path}`,
    needs: ['raw responses'] as const,
    run: async (client: BindingClient) => {
      const [first, again] = [await client.send(path), await sendUntilDecided(client, path)]
      assert.deepEqual([first.status, first.body.toString()], [201, 'run 1'])
      assertProblem(again, 410, 'not-replayable')
      assert.equal(await client.runs(), 1)
    },
  })),
  {
    id: 'replay-patch',
    title: 'PATCH is guarded as POST is',
    run: async (client) => {
      await assertReplayed(client, '/json', { method: 'PATCH' })
    },
  },
  {
    id: 'replay-cookies',
    title: 'cookies go to the first caller, each on its own, and to nobody else',
    peers: ['IDJ 6'],
    run: async (client) => {
      const [first, again] = await assertReplayed(client, '/cookies')
      assert.deepEqual(first.values('set-cookie'), ['session=secret; HttpOnly', 'theme=dark; Path=/'])
      assert.deepEqual(again.values('set-cookie'), [])
      assert.equal(again.header('x-own'), 'kept')
    },
  },
  {
    id: 'replay-fresh-headers',
    title: 'headers that were set before the binding are those of the second request, once',
    peers: ['NA 8'],
    needs: ['middleware'],
    run: async (client) => {
      const [first, again] = await assertReplayed(client, '/json')
      for (const name of ['x-request-id', 'x-ratelimit-remaining']) {
        assert.equal(first.values(name).length, 1)
        assert.equal(again.values(name).length, 1)
        assert.notEqual(again.header(name), first.header(name))
      }
      assert.deepEqual(again.values('access-control-allow-origin'), ['*'])
    },
  },
  {
    id: 'replay-compression-outside',
    title: 'a replay is compressed for whoever asks for it, where compression stands outside',
    needs: ['compression outside'],
    run: async (client) => {
      const path = '/compressed-outside'
      const coded = [await client.send(path, gzip), await client.send(path, gzip)] as const
      const [first, again] = coded.map(({ body }) => gunzipSync(body).toString())
      const plain = await client.send(path, { headers: { 'Accept-Encoding': 'identity' } })
      assert.deepEqual([again, plain.body.toString()], [first, first])
      assert.deepEqual(
        [...coded, plain].map(({ headers, header }) => [
          header('content-encoding'),
          headers.filter(([name]) => name.toLowerCase() === 'content-encoding').length,
          header('idempotency-replayed'),
        ]),
        [
          ['gzip', 1, undefined],
          ['gzip', 1, 'true'],
          [undefined, 0, 'true'],
        ],
      )
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'replay-compression-inside',
    title: 'an answer that was compressed inside is refused, and never damaged',
    needs: ['compression inside'],
    run: async (client) => {
      const first = await client.send('/compressed-inside', gzip)
      assert.equal(first.header('content-encoding'), 'gzip')
      assert.equal((JSON.parse(gunzipSync(first.body).toString()) as { runs: number }).runs, 1)
      const again = await client.send('/compressed-inside', { headers: { 'Accept-Encoding': 'identity' } })
      assertProblem(again, 410, 'not-replayable')
      assert.deepEqual((again.json() as { original: unknown }).original, { status: 201 })
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'replay-head',
    title: 'HEAD has no body, first and again',
    run: async (client) => {
      const sent = { method: 'HEAD' } as const
      const [first, again] = [await client.send('/head', sent), await client.send('/head', sent)]
      assertReplay(first, again)
      assert.deepEqual([first.status, first.body.length, again.header('x-runs')], [200, 0, '1'])
    },
  },
]
