import assert from 'node:assert/strict'
import type { BindingCheck } from '../check.ts'
import type { BindingClient, Received } from '../client.ts'
import { assertProblem, assertReplay, describeAnswer } from '../expectations.ts'

const asAnn = { headers: { 'X-User': 'ann' } }

/** The location of the answer, from a response that says that it is pending. */
function locationOf(answer: Received): string {
  assert.deepEqual([answer.status, answer.header('idempotency-status')], [202, 'pending'], describeAnswer(answer))
  assert.match(answer.header('retry-after') ?? 'no Retry-After', /^[1-9]\d*$/)
  const retryAfter = Number(answer.header('retry-after'))
  const location = answer.header('location')
  assert.ok(location, 'a pending answer tells where to look')
  const { idempotencyStatus, ...told } = answer.json() as Record<string, unknown>
  assert.deepEqual([idempotencyStatus, told.location, told.retryAfter], ['pending', location, retryAfter])
  return location
}

/** Looks until the answer is there. */
async function answerAt(client: BindingClient, location: string): Promise<Received> {
  for (;;) {
    const answer = await client.send(location, { ...asAnn, method: 'GET', key: null })
    if (answer.header('idempotency-status') !== 'pending') return answer
    locationOf(answer)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Answers that are not there yet. */
export const laterChecks: readonly BindingCheck[] = [
  {
    id: 'later-duplicate',
    title: 'a duplicate is told where the answer will be, and a stranger is not told more',
    run: async (client) => {
      const first = client.begin('/accepted', asAnn)
      await client.reached({ runs: 1 })
      const location = locationOf(await client.send('/accepted', asAnn))
      assert.equal(locationOf(await client.send(location, { ...asAnn, method: 'GET', key: null })), location)
      await client.openGate()
      const { status, body } = await first.received()
      const answer = await answerAt(client, location)
      assert.deepEqual([answer.status, answer.body], [status, body])
      const stranger = await client.send(location, { method: 'GET', key: null, headers: { 'X-User': 'bob' } })
      assertProblem(stranger, 404, 'unknown-operation')
      assertReplay(await first.received(), await client.send('/accepted', asAnn))
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'later-first',
    title: 'the first caller too may be answered before the handler has ended',
    run: async (client) => {
      const location = locationOf(await client.send('/early', asAnn))
      await client.reached({ runs: 1 })
      await client.openGate()
      const answer = await answerAt(client, location)
      assert.deepEqual([answer.status, answer.json(), answer.header('x-own')], [201, { runs: 1 }, 'kept'])
      const again = await client.send('/early', asAnn)
      assert.deepEqual([again.status, again.header('idempotency-replayed'), again.body], [201, 'true', answer.body])
      assert.equal(await client.runs(), 1)
    },
  },
]
