import assert from 'node:assert/strict'
import type { BindingCheck } from '../check.ts'
import type { BindingClient, Received } from '../client.ts'
import { answerBesideOne, assertProblem, sendUntilDecided } from '../expectations.ts'

/** Checks of middleware around the guard that answers while the handler is at work. */
export const timeOutChecks: readonly BindingCheck[] = [
  {
    id: 'time-out-in-progress',
    title: 'a time-out that answers for a handler that is at work does not free the key',
    needs: ['time-outs'],
    run: async (client) => {
      assert.equal((await timedOut(client, '/timed')).status, 503)
      assertProblem(await answerBesideOne(client, '/timed'), 409, 'in-progress')
      await client.openGate()
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'time-out-answer',
    title: 'the answer of a handler that ends after a time-out is recorded, and no second one runs',
    needs: ['time-outs'],
    run: async (client) => {
      await timedOut(client, '/timed')
      await client.openGate()
      const again = await sendUntilDecided(client, '/timed')
      // a framework that has let go of what the handler returned has no answer to replay
      if (again.status === 410) assertProblem(again, 410, 'not-replayable')
      else
        assert.deepEqual([again.status, again.header('idempotency-replayed'), again.json()], [201, 'true', { runs: 1 }])
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'time-out-kept-methods',
    title: 'the same is true of a handler that writes by methods which it took from the response before the time-out',
    needs: ['time-outs', 'raw responses'],
    run: async (client) => {
      await timedOut(client, '/timed-kept')
      await client.openGate()
      const again = await sendUntilDecided(client, '/timed-kept')
      assert.deepEqual([again.status, again.header('idempotency-replayed'), again.json()], [201, 'true', { runs: 1 }])
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'time-out-failure',
    title: 'a handler that fails after a time-out releases the key',
    needs: ['time-outs'],
    run: async (client) => {
      await timedOut(client, '/timed-failure')
      await client.openGate()
      const again = await sendUntilDecided(client, '/timed-failure')
      assert.deepEqual([again.status, again.json()], [201, { runs: 2 }])
    },
  },
]

async function timedOut(client: BindingClient, path: string): Promise<Received> {
  const first = client.begin(path)
  await client.reached({ runs: 1 })
  await client.timeOut()
  return first.received()
}
