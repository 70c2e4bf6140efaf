/** Answers that are not there yet: a 202 of a guard is never taken for the answer. */
import { expect, test } from 'vitest'
import { IntentUnreachableError } from '../src/index.ts'
import { problem } from './server.ts'
import { answer, ok, setUp, URL } from './set-up.ts'

const pending = answer(202, { 'Idempotency-Status': 'pending', Location: '/operations/7', 'Retry-After': '0' })
/** The same to a page of another origin: CORS hides the headers. */
const hidden = Response.json(
  { status: 'pending', idempotencyStatus: 'pending', location: '/operations/7', retryAfter: 0 },
  { status: 202 },
)

test.each([
  ['by its headers', pending],
  ['by its body', hidden],
])('a pending 202 is followed %s, as the same user, to the answer', async (_, pending) => {
  const { send, sent } = setUp([pending, pending, ok])
  const response = await send('a', { headers: { Authorization: 'Bearer ann', 'Content-Type': 'text/plain' } })
  expect(response.status).toBe(201)
  expect(sent.map(({ method, url, authorization, body }) => [method, url, authorization, body])).toEqual([
    ['POST', URL, 'Bearer ann', 'a'],
    ['GET', 'https://shop.example/operations/7', 'Bearer ann', ''],
    ['GET', 'https://shop.example/operations/7', 'Bearer ann', ''],
  ])
})

test('a 202 of an application is its answer, whatever its body says', async () => {
  const { send, sent } = setUp([Response.json({ status: 'pending', location: '/jobs/1' }, { status: 202 })])
  expect((await send()).status).toBe(202)
  expect(sent).toHaveLength(1)
})

test.each([
  ['to another origin', 'https://evil.example/x'],
  ['that is no address', 'http://['],
])('a pending 202 %s is not followed: the request itself is sent again', async (_, location) => {
  const { send, sent } = setUp([answer(202, { 'Idempotency-Status': 'pending', Location: location }), ok])
  expect((await send()).status).toBe(201)
  expect(sent.map(({ method, url }) => [method, url])).toEqual(Array(2).fill(['POST', URL]))
})

test('a pending 202 is an error when the time is over, and no answer', async () => {
  const { send, keys } = setUp([pending], { retry: { backoff: { first: 1, max: 1 }, within: 30 } })
  const error = await send().catch((error: unknown) => error)
  expect(error).toBeInstanceOf(IntentUnreachableError)
  expect(keys().size).toBe(1)
})

test('waiting for what is in progress does not use up tries', async () => {
  const busy = problem(409, 'in-progress', true, { 'Retry-After': '0' })
  const waiting = setUp([...Array(20).fill(busy), ok], { retry: { tries: 2, backoff: { first: 1, max: 1 } } })
  expect((await waiting.send()).status).toBe(201)
})

test('the address of a 202 that is not known any more: the request itself is sent again, with its key', async () => {
  const { send, sent } = setUp([pending, problem(404, 'unknown-operation', false), ok])
  expect((await send()).status).toBe(201)
  expect(sent.map(({ method }) => method)).toEqual(['POST', 'GET', 'POST'])
  expect(sent[2]?.key).toBe(sent[0]?.key)
})

test('a pending 202 is no answer, whatever the application says of answers that are ok', async () => {
  const { send } = setUp([pending, ok], { verdict: (response) => (response.ok ? 'done' : undefined) })
  expect((await send()).status).toBe(201)
})

test('nobody is asked with the key of the caller’s own headers at another address', async () => {
  const { client, sent } = setUp([pending, ok])
  await client.fetch(URL, { intent: 'i', headers: { 'Idempotency-Key': 'mine' }, body: 'a' })
  expect(sent.map(({ key }) => key)).toEqual(['mine', null])
})

test.each([
  ['404 of a proxy', answer(404, { 'Content-Type': 'text/html' })],
  ['401', answer(401)],
  ['the start page, as some proxies answer whatever they do not know', answer(200, { 'Content-Type': 'text/html' })],
  ['a login page', Object.defineProperty(answer(200), 'redirected', { value: true })],
])('%s at the address of a 202 is not the answer: the request itself is sent again', async (_, stray) => {
  const { send, sent, keys } = setUp([pending, stray, ok])
  expect((await send()).status).toBe(201)
  expect(sent.map(({ method }) => method)).toEqual(['POST', 'GET', 'POST'])
  expect(keys().size).toBe(1)
})

test('a refusal at the address of a 202 is the answer if it is a replay', async () => {
  const { send, sent } = setUp([pending, answer(402, { 'Idempotency-Replayed': 'true' })])
  expect((await send()).status).toBe(402)
  expect(sent.map(({ method }) => method)).toEqual(['POST', 'GET'])
})
