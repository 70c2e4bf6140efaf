/** Middleware outside may end an answer later than it was let go, such as one that saves a session first. */
import type { ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { serveCharge } from './charge-server.ts'
import { deferred } from './deferred.ts'

it('records the handler of an answer that a timer gave past it, and that was ended later', async () => {
  const sent = deferred()
  const server = await serveCharge(
    async (res) => {
      await sent.promise
      res.statusCode = 201
      res.setHeader('X-Charge', '1')
      res.end('charged')
    },
    (guarded, runs) => (req, res) => {
      endLater(res)
      setTimeout(() => void (runs() > 0 && !res.headersSent && res.writeHead(503).end('too late')), 1)
      guarded(req, res)
    },
  )
  expect((await server.post()).body.toString()).toBe('too late')
  sent.resolve()
  const again = await server.postUntilDecided()
  expect([again.status, again.header('x-charge'), again.body.toString(), server.runs]).toEqual([201, '1', 'charged', 1])
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
