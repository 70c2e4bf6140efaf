/** The fuzz of the suite, wherever body parsers stand. */
import { randomUUID } from 'node:crypto'
import { clientOf } from '@retryproof/conformance/http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOf, fuzzed } from '../../../conformance/src/http/checks/fuzz.ts'
import { testApp, versions } from './app.ts'

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])

describe.each(versions)('fuzz on %s', (_, express) => {
  it.each(['before', 'after', 'never'])(
    'with the body parsers %s',
    async (place) => {
      const { app, guard, port, idempotency } = testApp(express)
      const runs = new Map<string, number>()
      idempotency.on('started', ({ key: storageKey }) => runs.set(storageKey, (runs.get(storageKey) ?? 0) + 1))
      const parsers = [
        express.json({ type: ['json', '+json'] }),
        express.urlencoded({ extended: true }),
        express.text(),
      ]
      app.set('env', 'test')
      app.post(
        '/mine',
        ...(place === 'before' ? parsers : []),
        guard({ scope: (req) => req.get('x-user') ?? '' }),
        ...(place === 'after' ? parsers : []),
        (_req, res) => res.status(201).json({ run: true }),
      )
      const client = clientOf({ port: await port() })
      const send = async (bytes: Buffer) => (await client.raw([bytes])).toString('latin1')
      await fc.assert(
        fc.asyncProperty(fuzzed, async (request) => {
          runs.clear()
          const bytes = bytesOf(request, randomUUID())
          const [first, again] = [await send(bytes), await send(bytes)]
          const statuses = [statusOf(first), statusOf(again)]
          // 400, 413 and 415 are also what Node and the parsers answer; of ours there is no 500
          for (const status of statuses) expect([201, 400, 413, 415]).toContain(status)
          expect(statuses[1]).toBe(statuses[0])
          expect([...runs.values()].every((count) => count === 1)).toBe(true)
          if (statuses[0] === 201) expect(again).toMatch(/\r\nIdempotency-Replayed: true\r\n/)
        }),
        { numRuns: Number(process.env.FC_RUNS ?? 150) },
      )
    },
    600_000,
  )
})
