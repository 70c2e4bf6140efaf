/** Expectations that the checks share. */
import assert from 'node:assert/strict'
import type { BindingClient, Received, Sent } from './client.ts'

/** Belong to one moment, one connection or one client, and are never stored; the last ones are set before the binding. */
const ownHeaders = new Set([
  'date',
  'connection',
  'keep-alive',
  'content-length',
  'transfer-encoding',
  'set-cookie',
  'idempotency-replayed',
  'access-control-allow-origin',
  'x-request-id',
  'x-ratelimit-remaining',
])

/** All of an answer that has to be the same in its replay. */
function lasting({ status, headers, body }: Received) {
  const fields = headers
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .filter((field) => !ownHeaders.has(field.slice(0, field.indexOf(':'))))
  return { status, headers: fields.sort(), body }
}

/** @throws AssertionError unless the second answer is the first again, byte for byte, and says so */
export function assertReplay(first: Received, again: Received): void {
  assert.equal(first.header('idempotency-replayed'), undefined, 'the first answer is no replay')
  assert.equal(again.header('idempotency-replayed'), 'true', `no replay: ${describeAnswer(again)}`)
  const [{ body, ...head }, { body: bodyAgain, ...headAgain }] = [lasting(first), lasting(again)]
  assert.deepEqual(headAgain, head)
  assert.equal(bodyAgain.equals(body), true, `the body of the replay differs: ${describeAnswer(again)}`)
}

/** @throws AssertionError unless the answer is a problem of RFC 9457 of that type */
export function assertProblem(answer: Received, status: number, type: string): void {
  assert.equal(answer.status, status, describeAnswer(answer))
  assert.equal(answer.header('content-type'), 'application/problem+json')
  assert.match(answer.header('link') ?? 'no Link', /^<https?:.*>; rel="describedby"$/)
  const problem = answer.json() as Problem
  assert.match(problem.type, new RegExp(`#${type}$`))
  assert.equal(problem.status, status)
  assert.match(problem.instance, /^urn:uuid:/)
  if (!problem.retryable) return
  assert.match(answer.header('retry-after') ?? 'no Retry-After', /^[1-9]\d*$/)
  assert.equal(problem.retryAfter, Number(answer.header('retry-after')), 'the body says when, too')
}

interface Problem {
  readonly type: string
  readonly status: number
  readonly retryable: boolean
  readonly instance: string
  readonly retryAfter?: number
}

/** Sends a request twice, and checks that the second answer is a replay of the first, and that one handler ran. */
export async function assertReplayed(client: BindingClient, path: string, sent?: Sent): Promise<[Received, Received]> {
  const first = await client.send(path, sent)
  const again = await client.send(path, sent)
  assertReplay(first, again)
  assert.equal(await client.runs(), 1)
  return [first, again]
}

export function statuses(answers: readonly Received[]): number[] {
  return answers.map(({ status }) => status)
}

export function describeAnswer({ status, body }: Received): string {
  return `${status} ${body.subarray(0, 200).toString()}`
}

/** Sends a request beside or after a first one. A second handler would wait, and give no answer: the check fails once it runs. */
export async function answerBesideOne(client: BindingClient, path: string): Promise<Received> {
  let isOver = false
  const answer = client.send(path).finally(() => {
    isOver = true
  })
  // of one that is not waited for, since a second handler ran
  answer.catch(() => {})
  while (!isOver) assert.equal(await client.runs(), 1, 'a second handler runs beside the first')
  return answer
}

/** Sends again until the handler of before has ended, and what became of it is known. */
export async function sendUntilDecided(client: BindingClient, path: string): Promise<Received> {
  let answer = await client.send(path)
  while (answer.status === 409) answer = await client.send(path)
  return answer
}
