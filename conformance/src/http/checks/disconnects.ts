import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { BindingCheck } from '../check.ts'
import type { BindingClient, Pending } from '../client.ts'
import { answerBesideOne, assertProblem } from '../expectations.ts'

/** After how many turns of the event loop a client leaves: from before its first byte to after its answer. */
const MOMENTS = 40

/** Ends a request while its handler runs, in a way that the server notices, and expects the answer for the next one. */
async function answeredAfter(client: BindingClient, end: (first: Pending) => void): Promise<void> {
  const first = client.begin('/abandoned')
  await client.reached({ runs: 1 })
  end(first)
  await client.reached({ departures: 1 })
  const again = await answerBesideOne(client, '/abandoned')
  assert.deepEqual([again.status, again.header('idempotency-replayed'), again.json()], [201, 'true', { runs: 1 }])
}

export const disconnectChecks: readonly BindingCheck[] = [
  {
    id: 'disconnect-body',
    title: 'a client that leaves while its body is on the way leaves nothing behind',
    run: async (client) => {
      await client.leaveHalfway('/json')
      const whole = await client.send('/json', { body: 'whole', headers: { 'Content-Type': 'text/plain' } })
      assert.deepEqual([whole.status, await client.runs()], [201, 1])
    },
  },
  {
    id: 'disconnect-handler',
    title: 'a client that leaves while the handler runs gets the answer with its next try',
    peers: ['IDJ 3'],
    run: async (client) => {
      const first = client.begin('/awaited')
      await client.reached({ runs: 1 })
      first.leave()
      await client.openGate()
      const again = await client.send('/awaited')
      assert.deepEqual([again.status, again.header('idempotency-replayed'), again.json()], [201, 'true', { runs: 1 }])
    },
  },
  {
    id: 'disconnect-noticed',
    title: 'nor is an answer lost that is given when the server knows that the client has left',
    peers: ['IDJ 3'],
    needs: ['disconnects'],
    run: (client) => answeredAfter(client, (first) => first.leave()),
  },
  {
    id: 'disconnect-reset',
    title: 'a connection that is reset is a client that left, and no failure of the handler',
    needs: ['disconnects'],
    run: (client) => answeredAfter(client, (first) => first.reset()),
  },
  {
    id: 'disconnect-failure',
    title: 'a handler that fails after its client has left releases the key',
    needs: ['disconnects'],
    run: async (client) => {
      const first = client.begin('/abandoned-failure')
      await client.reached({ runs: 1 })
      first.leave()
      const again = await client.send('/abandoned-failure')
      assert.deepEqual([again.status, again.json()], [201, { runs: 2 }])
    },
  },
  {
    id: 'disconnect-stream',
    title: 'a client that leaves midway of a stream does not keep it from being settled',
    run: async (client) => {
      const first = client.begin('/events')
      assert.equal(String(await (await first.opened).next()), 'data: first\n\n')
      first.leave()
      await client.openGate()
      assertProblem(await client.send('/events'), 410, 'not-replayable')
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'disconnect-answer',
    title: 'a client that leaves while its answer is on the way gets all of it with its next try',
    run: async (client) => {
      const first = client.begin('/bytes')
      assert.equal((await first.opened).status, 200)
      first.leave()
      const again = await client.send('/bytes')
      assert.deepEqual([again.header('idempotency-replayed'), again.body.length], ['true', 1_048_576])
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'disconnect-any-time',
    title: 'whenever a client leaves, its next try is answered, and one handler ran',
    run: async (client) => {
      for (let turns = 0; turns < MOMENTS; turns++) {
        const id = randomUUID()
        const sent = { key: id, headers: { 'X-Case': id }, json: { amount: turns } }
        const first = client.begin('/patient', sent)
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
        first.leave()
        const again = await client.send('/patient', sent)
        assert.deepEqual([again.status, again.json()], [201, { runs: 1, name: 'Zoë' }])
      }
    },
  },
  {
    id: 'disconnect-closing',
    title: 'a server that closes its idle connections does not cut an answer that waits for its record',
    needs: ['closing'],
    run: async (client) => {
      const answer = client.begin('/slow').received()
      await client.closeIdleUntil(answer)
      assert.equal((await answer).status, 201)
    },
  },
  {
    id: 'disconnect-endless',
    title: 'a source that never waits leaves others their turn when its client has left',
    needs: ['disconnects'],
    run: async (client) => {
      const first = client.begin('/endless')
      assert.ok(await (await first.opened).next())
      first.leave()
      assertProblem(await client.send('/endless'), 410, 'not-replayable')
    },
  },
  {
    id: 'disconnect-waiting',
    title: 'a duplicate that leaves while it waits changes nothing for the others',
    run: async (client) => {
      const first = client.begin('/awaited')
      await client.reached({ runs: 1 })
      const [leaving, staying] = [client.begin('/awaited'), client.begin('/awaited')]
      leaving.leave()
      await client.openGate()
      assert.deepEqual([(await first.received()).status, (await staying.received()).json()], [201, { runs: 1 }])
      assert.equal(await client.runs(), 1)
    },
  },
]
