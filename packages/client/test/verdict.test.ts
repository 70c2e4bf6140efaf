/** The meaning of each answer for the key that was sent with it: only certainty drops a key. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createIdempotentFetch, IntentChangedError, memoryStorage, type Verdict } from '../src/index.ts'
import { problem } from './server.ts'
import { answer, ok, setUp, URL } from './set-up.ts'

const lost = undefined
const replayed = { 'Idempotency-Replayed': 'true' }
const html = { 'Content-Type': 'text/html' }
const replay = (response: Response) => {
  response.headers.set('Idempotency-Replayed', 'true')
  return response
}
/** An answer that was redirected, as `fetch` gives it. */
const redirected = (status: number) => Object.defineProperty(answer(status, html), 'redirected', { value: true })
/** An answer that CORS or `redirect: 'manual'` hides. */
const hidden = (type: ResponseType) =>
  Object.defineProperties(answer(200), { type: { value: type }, status: { value: 0 }, ok: { value: false } })

test.each([
  ['no answer', lost],
  ['500', answer(500)],
  ['502 of a proxy', answer(502, html)],
  ['503', problem(503, 'unavailable', true, { 'Retry-After': '0' })],
  ['408', answer(408)],
  ['425', answer(425)],
  ['429', answer(429)],
  ['a page of a proxy that says 503, behind a redirect', redirected(503)],
  ['409 in progress', problem(409, 'in-progress', true, { 'Retry-After': '0' })],
  ['409 in progress, from another origin', problem(409, 'in-progress', true)],
  ['409 with Retry-After of somebody else', answer(409, { 'Retry-After': '0' })],
  ['202 pending that names no address', answer(202, { 'Idempotency-Status': 'pending', 'Retry-After': '0' })],
])('%s: the same request again, with the same key', async (_, first) => {
  const { send, sent, keys } = setUp([first, first, ok])
  expect((await send()).status).toBe(201)
  expect(sent).toHaveLength(3)
  expect(keys().size).toBe(1)
  expect(sent[0]?.key).toMatch(/^"[\w-]{36}"$/)
  expect(sent.map(({ body }) => body)).toEqual(['a', 'a', 'a'])
})

test.each([
  ['200', answer(200)],
  ['204', answer(204)],
  ['303', answer(303)],
  ['410', problem(410, 'not-replayable', false)],
  ['a replayed 201', answer(201, replayed)],
  ['202 of an application', answer(202, { Location: '/jobs/1' })],
])('%s: the same intent asks again with the same key, until it is cleared', async (_, first) => {
  const { client, send, sent, keys } = setUp([first])
  await send()
  await send()
  expect([sent.length, keys().size]).toEqual([2, 1])
  await client.done('i')
  await send()
  expect(keys().size).toBe(2)
})

const undecided = [
  ['401', answer(401)],
  ['403', answer(403)],
  ['404 of a proxy', answer(404, html)],
  ['412', answer(412)],
  ['413 of a proxy', answer(413, html)],
  ['423', answer(423)],
  ['409 of an application', answer(409)],
  ['410 of an application', answer(410)],
  ['a login page after a redirect', redirected(200)],
  ['a refusal after a redirect', redirected(422)],
  ['302', answer(302, { Location: '/login' })],
  ['207, which the server does not record', answer(207)],
  ['a mismatch that an outer guard replays', replay(problem(422, 'key-reused', false))],
  ['409 in progress that an outer guard replays', replay(problem(409, 'in-progress', true))],
  ['an opaque redirect', hidden('opaqueredirect')],
  ['an opaque answer', hidden('opaque')],
  ['mismatch', problem(422, 'key-reused', false)],
  ['unknown outcome', problem(409, 'outcome-unknown', false)],
  ['failed for good', problem(500, 'failed', false)],
  ['a replayed 500', answer(500, replayed)],
] as const

test.each(undecided)('%s is returned at once, and keeps the key', async (_, first) => {
  const { send, sent, keys } = setUp([first])
  await send()
  await send()
  expect([sent.length, keys().size]).toEqual([2, 1])
})

const refusals = [
  ['400', answer(400)],
  ['402', answer(402)],
  ['415', answer(415)],
  ['422', answer(422)],
] as const

test.each(refusals)('%s to the only request with a key drops it: nothing was done', async (_, first) => {
  const { send, sent, keys } = setUp([first])
  await send()
  await send('another')
  expect([sent.length, keys().size]).toEqual([2, 2])
})

test.each([...refusals, ...undecided])(
  '%s keeps the key of a request that may have had an effect',
  async (_, first) => {
    const { send, keys } = setUp([lost, first])
    await send()
    await send()
    await expect(send('another')).rejects.toThrow(IntentChangedError)
    expect(keys().size).toBe(1)
  },
)

test.each([400, 402, 404, 409, 422])(
  'a replayed %i is the answer of the operation, and drops the key',
  async (status) => {
    const { send, keys } = setUp([lost, answer(status, replayed)])
    await send()
    await send('another')
    expect(keys().size).toBe(2)
  },
)

test('a replay is known by the name that Stripe gives it, too', async () => {
  const { send, keys } = setUp([lost, answer(402, { 'Idempotent-Replayed': 'true' })])
  await send()
  await send('another')
  expect(keys().size).toBe(2)
})

test.each([401, 403, 404, 413])(
  '%i to the only request: another body gets another key, the same body the same',
  async (status) => {
    const { send, keys } = setUp([answer(status)])
    await send()
    await send()
    expect(keys().size).toBe(1)

    const corrected = setUp([answer(status), ok])
    await corrected.send('too large')
    await corrected.send('smaller')
    expect(corrected.keys().size).toBe(2)
  },
)

test('a first answer that says that it is no replay is none', async () => {
  const { send, keys } = setUp([lost, answer(402, { 'Idempotency-Replayed': 'false' })])
  await send()
  await send()
  expect(keys().size).toBe(1)
})

test.each([
  ['a login', 401],
  ['a limit', 429],
])('%s does nothing: a refusal after it is certain', async (_, status) => {
  const { send, keys, sent } = setUp([answer(status), answer(422), ok], { retry: { tries: 2, backoff: { first: 1 } } })
  await send()
  if (sent.length === 1) await send()
  await send('corrected')
  expect([sent.map(({ body }) => body), keys().size]).toEqual([['a', 'a', 'corrected'], 2])
})

test('409 of an application with Retry-After counts as a try', async () => {
  const { send, sent } = setUp([answer(409, { 'Retry-After': '0' })], {
    retry: { tries: 3, backoff: { first: 1, max: 1 } },
  })
  expect((await send()).status).toBe(409)
  expect(sent).toHaveLength(3)
})

test('a refusal does not drop the key that a second click has sent meanwhile', async () => {
  const answers: ((response: Response | undefined) => void)[] = []
  const keys: (string | null)[] = []
  const client = createIdempotentFetch({
    storage: memoryStorage(),
    retry: { tries: 1 },
    fetch: async (request) => {
      keys.push((request as Request).headers.get('Idempotency-Key'))
      const response = await new Promise<Response | undefined>((resolve) => answers.push(resolve))
      if (response) return response
      throw new TypeError('Failed to fetch')
    },
  })
  const click = () => client.fetch(URL, { intent: 'i', body: 'a' })
  const clicks = [click(), click()]
  await expect.poll(() => answers.length).toBe(2)
  answers[0]?.(answer(402))
  answers[1]?.(undefined)
  await Promise.allSettled(clicks)
  const third = click()
  await expect.poll(() => answers.length).toBe(3)
  answers[2]?.(ok.clone())
  await third
  expect(new Set(keys).size).toBe(1)
})

test.each<[Verdict, Response, number, number]>([
  ['drop', answer(409), 2, 2],
  ['keep', answer(422), 2, 1],
  ['done', redirected(200), 2, 1],
])('an application that knows better says %s', async (verdict, first, requests, keys) => {
  const set = setUp([first], { verdict: ({ status }) => (status === first.status ? verdict : undefined) })
  await set.send()
  await set.send()
  expect([set.sent.length, set.keys().size]).toEqual([requests, keys])
})

test('an application may say that an answer decides nothing, after it has read its body', async () => {
  const busy = Response.json({ error: { code: 'idempotency_key_in_use' } }, { status: 409 })
  const { send, sent, keys } = setUp([busy, busy, ok], {
    verdict: async (response) =>
      response.status === 409 && (await response.json()).error.code === 'idempotency_key_in_use' ? 'retry' : undefined,
  })
  expect((await send()).status).toBe(201)
  expect([sent.length, keys().size]).toEqual([3, 1])
})

test('an answer that the application has sent again may have had an effect: a refusal after it is not certain', async () => {
  const { send, keys } = setUp([answer(409), answer(422)], {
    verdict: ({ status }) => (status === 409 ? 'retry' : undefined),
  })
  await send()
  await expect(send('corrected')).rejects.toThrow(IntentChangedError)
  expect(keys().size).toBe(1)
})

test('whatever comes, a key that may have had an effect is given up only for a replayed refusal', {
  timeout: 60_000,
}, async () => {
  const anAnswer = fc.record({
    status: fc.integer({ min: 200, max: 599 }).filter((status) => ![204, 205, 304].includes(status)),
    headers: fc.subarray([
      ['Retry-After', '0'],
      ['Location', '/elsewhere'],
      ['Content-Type', 'application/problem+json'],
      ['Content-Type', 'text/html'],
      ['Idempotency-Replayed', 'true'],
    ] as const),
    body: fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ type: fc.constantFrom('about:blank', '#key-reused', '#unknown-operation'), retryable: fc.boolean() })
        .map((problem) => JSON.stringify(problem)),
    ),
  })
  await fc.assert(
    fc.asyncProperty(anAnswer, async ({ status, headers, body }) => {
      const given = new Response(body, {
        status,
        headers: [...headers.map(([name, value]): [string, string] => [name, value])],
      })
      const { send, keys } = setUp([lost, given], { retry: { tries: 2, backoff: { first: 1, max: 1 }, within: 50 } })
      await send().catch(() => {})
      const first = [...keys()]
      await send().catch(() => {})
      const isRefusal = status >= 400 && status < 500 && status !== 410
      const isReplay = headers.some(([name]) => name === 'Idempotency-Replayed')
      if (!(isRefusal && isReplay)) expect([...keys()]).toEqual(first)
    }),
    { numRuns: Number(process.env.FC_RUNS ?? 300) },
  )
})
