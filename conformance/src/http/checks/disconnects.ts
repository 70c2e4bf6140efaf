import assert from 'node:assert/strict'
import type { BindingCheck } from '../check.ts'
import { assertProblem } from '../expectations.ts'

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
    run: async (client) => {
      const first = client.begin('/abandoned')
      await client.reached({ runs: 1 })
      first.leave()
      await client.reached({ departures: 1 })
      const again = await client.send('/abandoned')
      assert.deepEqual([again.status, again.header('idempotency-replayed'), again.json()], [201, 'true', { runs: 1 }])
    },
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
