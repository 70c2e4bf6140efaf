import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { nobodies, strangeErrors, throwingOptions } from '../app/routes/failing.ts'
import type { BindingCheck } from '../check.ts'
import type { BindingClient } from '../client.ts'
import { assertProblem, assertReplay, statuses } from '../expectations.ts'

const MIB = 1_048_576

/** A request of this check, by hand: its head, with these lines more. */
function headOf({ key }: BindingClient, ...lines: string[]): Buffer {
  const head = ['POST /patient HTTP/1.1', 'Host: a', 'Connection: close', `X-Case: ${key}`, ...lines]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1')
}

/** Headers that no server takes, and after which it goes on serving. */
function flood(id: string, title: string, lines: (client: BindingClient) => string[]): BindingCheck {
  return {
    id: `security-${id}`,
    title,
    needs: ['the wire of HTTP/1.1'],
    run: async (client) => {
      const answer = (await client.raw([headOf(client, ...lines(client))])).toString('latin1')
      // some servers cut the connection instead of answering
      assert.match(answer, /^(HTTP\/1\.1 (400|413|431) |$)/)
      assert.equal(await client.runs(), 0)
      assert.equal((await client.send('/json')).status, 201)
    },
  }
}

export const securityChecks: readonly BindingCheck[] = [
  {
    id: 'security-revoked',
    title: 'whoever is let in no more is given no replay, and not even told about a key',
    authenticated: true,
    run: async (client) => {
      const sent = { headers: { 'X-User': client.key } }
      const first = await client.send('/mine', sent)
      assert.equal(first.status, 201)
      await client.access(true)
      for (const key of [client.key, '"malformed', null]) {
        const refused = await client.send('/mine', { ...sent, key })
        assert.deepEqual([refused.status, refused.header('idempotency-replayed')], [401, undefined])
        assert.ok(!refused.body.includes('runs'), 'the answer of before shows through')
      }
      await client.access(false)
      assertReplay(first, await client.send('/mine', sent))
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'security-not-yet',
    title: 'a request that authentication refuses takes no key',
    authenticated: true,
    run: async (client) => {
      const sent = { headers: { 'X-User': client.key } }
      await client.access(true)
      assert.equal((await client.send('/mine', sent)).status, 401)
      await client.access(false)
      const admitted = await client.send('/mine', { ...sent, json: { amount: 1 } })
      assert.deepEqual([admitted.status, admitted.header('idempotency-replayed')], [201, undefined])
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'security-tenants',
    title: 'no user is given the answer of another, however their names and keys are put together',
    peers: ['NA 2'],
    run: async (client) => {
      const id = client.key
      const pairs = [
        ['a', `b${id}`],
        ['ab', id],
        ['a\u002eb', id],
        [`a${id}`, 'b'],
        ['A', `b${id}`],
      ] as const
      const answers = []
      for (const [user, key] of pairs) answers.push(await client.send('/mine', { key, headers: { 'X-User': user } }))
      assert.deepEqual(statuses(answers), Array(pairs.length).fill(201))
      assert.ok(answers.every((answer) => answer.header('idempotency-replayed') === undefined))
      assert.equal(await client.runs(), pairs.length)
    },
  },
  {
    id: 'security-secrets',
    title: 'neither a key nor a user, a credential or a body is told to the store, an event, an error or a caller',
    peers: ['UI 5', 'EI 5'],
    run: async (client) => {
      const secret = `secret-${randomUUID()}`
      const headers = { 'X-User': secret, Authorization: `Bearer ${secret}`, Cookie: `session=${secret}` }
      const ask = (json: unknown, key: string = secret) => client.send(`/mine?token=${secret}`, { key, headers, json })
      const answers = [await ask({ card: secret }), await ask({ card: secret }), await ask({ card: `${secret}!` })]
      answers.push(await ask({}, `"${secret}`), await ask({}, `${secret}\u00e9`), await ask({}, secret.repeat(10)))
      assert.deepEqual(statuses(answers), [201, 201, 422, 400, 400, 400])
      for (const path of ['/unreachable', '/unrecorded']) {
        answers.push(await client.send(path, { key: secret, headers, json: { card: secret } }))
      }
      for (const { body, headers: fields } of answers) {
        assert.ok(!`${body.toString()} ${fields.flat().join(' ')}`.includes(secret), body.toString())
      }
      assert.equal((await client.told(secret)).isTold, false)
      // so that this check cannot pass because nothing is overheard
      assert.equal((await client.told('POST /mine')).isTold, true)
    },
  },
  {
    id: 'security-options-throw',
    title: 'a handler never runs behind scope, key or problem that throws, whatever the value',
    run: async (client) => {
      for (const option of throwingOptions) {
        for (const name of Object.keys(strangeErrors)) {
          const asked = { 'X-Throws': `${option} ${name}` }
          // without a key there is a problem to tell
          const key = option === 'problem' ? null : client.key
          const { status } = await client.send('/options-throw', { key, headers: asked })
          assert.deepEqual([asked, status], [asked, 500])
        }
      }
      assert.equal(await client.runs(), 0)
      assert.equal((await client.send('/options-throw')).status, 201)
    },
  },
  {
    id: 'security-nobody',
    title: 'a scope that names nobody, in whichever way, is answered with 401, and takes no key',
    run: async (client) => {
      for (const name of Object.keys(nobodies)) {
        assertProblem(await client.send('/scoped', { headers: { 'X-Scope': name } }), 401, 'unauthenticated')
      }
      assert.equal(await client.runs(), 0)
      assert.equal((await client.send('/scoped', { headers: { 'X-Scope': 'ann' } })).status, 201)
    },
  },
  {
    id: 'security-scope-throws',
    title: 'a scope that throws at once, whatever the value, is an error of the application, and takes no key',
    run: async (client) => {
      for (const name of Object.keys(strangeErrors)) {
        const { status, body } = await client.send('/scoped', { headers: { 'X-Throws': `scope ${name}` } })
        assert.deepEqual([name, status, body.includes('urn:uuid')], [name, 500, false])
      }
      assert.equal(await client.runs(), 0)
      assert.equal((await client.send('/scoped', { headers: { 'X-Scope': 'ann' } })).status, 201)
    },
  },
  {
    id: 'security-injection',
    title: 'nothing that a client sends becomes a header or a line of a log',
    needs: ['the wire of HTTP/1.1'],
    run: async (client) => {
      const secret = randomUUID()
      const lines = [`Idempotency-Key: "k\\r\\nX-Injected: ${secret}"`, 'Content-Length: 0']
      const answer = (await client.raw([headOf(client, ...lines)])).toString('latin1')
      assert.match(answer, /^HTTP\/1\.1 400 /)
      assert.doesNotMatch(answer, new RegExp(`X-Injected|${secret}`, 'i'))
      const escapes = [`Idempotency-Key: "\u001b[2J${secret}"`, 'Content-Length: 0']
      const escaped = (await client.raw([headOf(client, ...escapes)])).toString('latin1')
      assert.match(escaped, /^(HTTP\/1\.1 400 |$)/)
      assert.ok(!escaped.includes(secret))
      assert.equal((await client.told(secret)).isTold, false)
      assert.equal(await client.runs(), 0)
    },
  },
  {
    id: 'security-pollution',
    title: 'no name in a body, a query or a header reaches a prototype',
    needs: ['the wire of HTTP/1.1'],
    run: async (client) => {
      const names = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}'
      const sent = { body: names, headers: { constructor: 'polluted' } }
      const path = '/json?__proto__[polluted]=1&constructor[prototype][polluted]=1&__proto__=polluted'
      // parsers may refuse such names
      for (let turn = 0; turn < 2; turn++) assert.ok([201, 400].includes((await client.send(path, sent)).status))
      assert.ok((await client.runs()) <= 1)
      await client.raw([headOf(client, '__proto__: polluted', '__proto__: 1', 'Content-Length: 0')])
      assert.equal((await client.told('')).isPolluted, false)
      assert.equal((await client.send('/text')).status, 200)
    },
  },
  flood('header-flood', 'one header of 1 MB is refused', ({ key }) => [
    `Idempotency-Key: ${key}`,
    `X-Flood: ${'x'.repeat(MIB)}`,
  ]),
  flood('key-flood', 'a key of 1 MB is refused', () => [`Idempotency-Key: ${'k'.repeat(MIB)}`]),
  flood('headers-flood', 'headers of 1 MB in all are refused', ({ key }) => [
    `Idempotency-Key: ${key}`,
    ...Array.from({ length: MIB / 16 }, (_, index) => `X-${String(index).padStart(8, '0')}: 1`),
  ]),
  {
    id: 'security-slow-body',
    title: 'a body that is slow to come holds no key, and is answered when it has come',
    needs: ['the wire of HTTP/1.1'],
    run: async (client) => {
      const sent = { json: { amount: 1 } }
      const body = Buffer.from(JSON.stringify(sent.json))
      const lines = ['Content-Type: application/json', `Content-Length: ${body.length}`]
      const head = headOf(client, `Idempotency-Key: ${client.key}`, ...lines)
      let swift: number | undefined
      async function* slowly() {
        yield head
        yield body.subarray(0, 5)
        swift = (await client.send('/patient', sent)).status
        for (const octet of body.subarray(5)) yield Uint8Array.of(octet)
      }
      const answer = (await client.raw(slowly())).toString('latin1')
      assert.equal(swift, 201)
      assert.match(answer, /^HTTP\/1\.1 201 [\s\S]*\r\nIdempotency-Replayed: true\r\n/i)
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'security-body-flood',
    title: 'a body of 20 MB is refused or run once, and the server goes on',
    run: async (client) => {
      const sent = { body: new Uint8Array(20 * MIB), headers: { 'Content-Type': 'text/plain' } }
      // a server that refuses may cut the connection while more is on its way
      const answer = await client.send('/json', sent).catch(() => undefined)
      if (answer?.header('content-type') === 'application/problem+json') assertProblem(answer, 413, 'body-too-large')
      assert.ok([201, 400, 413, undefined].includes(answer?.status), String(answer?.status))
      assert.ok((await client.runs()) <= 1)
      assert.equal((await client.send('/text')).status, 200)
    },
  },
]
