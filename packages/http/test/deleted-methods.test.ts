/** Handlers delete methods of a response, as some do who wrapped them: Node's own come to light, and what those send leaves at once. */
import type { ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { serveCharge } from './charge-server.ts'

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
  const server = await serveCharge((res) => void handler(res))
  const first = await server.post().catch(() => undefined)
  expect(first?.body.toString()).toBe(body)
  const again = await server.postUntilDecided()
  expect([again.status, server.runs]).toEqual([410, 1])
})
