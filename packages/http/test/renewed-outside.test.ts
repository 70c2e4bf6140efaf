/** Middleware outside may end an answer later than it was let go, such as one that saves a session first. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { afterEach, expect, it } from 'vitest'
import { idempotent } from '../src/node.ts'
import { listening, send } from './client.ts'
import { deferred } from './deferred.ts'

const servers: { close(): unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

it('records the handler of an answer that a timer gave past it, and that was ended later', async () => {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'app' })
  const sent = deferred()
  let runs = 0
  const charge = idempotent(
    idempotency,
    { scope: () => 'user', operation: 'charge', onError: (_error, _req, res: ServerResponse) => res.destroy() },
    async (_req: IncomingMessage, res: ServerResponse) => {
      runs++
      await sent.promise
      res.statusCode = 201
      res.setHeader('X-Charge', '1')
      res.end('charged')
    },
  )
  const server = createServer((req, res) => {
    endLater(res)
    setTimeout(() => void (runs > 0 && !res.headersSent && res.writeHead(503).end('too late')), 1)
    charge(req, res)
  })
  servers.push(server)
  const port = await listening(server)
  const post = () => send(port, { headers: { 'Idempotency-Key': 'key' } })
  expect((await post()).body.toString()).toBe('too late')
  sent.resolve()
  let again = await post()
  while (again.status === 409) again = await post()
  expect([again.status, again.header('x-charge'), again.body.toString(), runs]).toEqual([201, '1', 'charged', 1])
})

/** Writes the body at once and ends a turn later, as a session does that is saved first. */
function endLater(res: ServerResponse): void {
  const { write, end } = res
  const ended = (chunk: unknown) => {
    if (chunk) write.call(res, chunk, 'utf8', undefined)
    setImmediate(() => end.call(res, undefined, 'utf8'))
    return res
  }
  Object.assign(res, { end: ended })
}
