/** Handlers delete methods of a response, as some do who wrapped them: Node's own come to light, and what those send leaves at once. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { afterEach, expect, it } from 'vitest'
import { idempotent } from '../src/node.ts'
import { listening, send } from './client.ts'

const servers: { close(): unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

function drop(res: ServerResponse, ...names: (keyof ServerResponse)[]): ServerResponse {
  for (const name of names) Reflect.deleteProperty(res, name)
  return res
}

it.each<[string, string | undefined, (res: ServerResponse) => unknown]>([
  ['the end, before the head', 'ab', (res) => drop(res, 'end').end('ab')],
  [
    'the end, before a head that declares a length',
    'ab',
    (res) => drop(res, 'end').writeHead(200, { 'Content-Length': 2 }) && res.write('ab') && res.end(),
  ],
  [
    'the end, behind a part that has left',
    'ab',
    (res) => res.flushHeaders() ?? (res.write('a') && drop(res, 'end').end('b')),
  ],
  ['the method for parts', 'ab', (res) => drop(res, 'write').write('a') && res.end('b')],
  ['all methods', 'ab', (res) => drop(res, 'writeHead', 'write', 'end').end('ab')],
  // known by the end of the connection
  [
    'all methods, once it has returned',
    'ab',
    (res) => setImmediate(() => drop(res, 'writeHead', 'write', 'end').end('ab')),
  ],
  // the client can read no answer
  ['the end, behind its head', undefined, (res) => drop(res.writeHead(200), 'end').end('ab')],
])('is not run again that deletes %s', async (_, body, handler) => {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'app' })
  let runs = 0
  const charge = idempotent(
    idempotency,
    { scope: () => 'user', operation: 'charge', onError: (_error, _req, res: ServerResponse) => res.destroy() },
    async (_req: IncomingMessage, res: ServerResponse) => {
      runs++
      handler(res)
    },
  )
  const server = createServer(charge)
  servers.push(server)
  const port = await listening(server)
  const post = () => send(port, { headers: { 'Idempotency-Key': 'key' } })
  const first = await post().catch(() => undefined)
  expect(first?.body.toString()).toBe(body)
  let again = await post()
  while (again.status === 409) again = await post()
  expect([again.status, runs]).toEqual([410, 1])
})
