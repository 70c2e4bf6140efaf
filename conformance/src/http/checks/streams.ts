import assert from 'node:assert/strict'
import { HUGE_BYTES, LARGE_BYTES } from '../app/routes/streams.ts'
import type { BindingCheck } from '../check.ts'
import { assertProblem } from '../expectations.ts'

const MIB = 1_048_576
const SAMPLE_BYTES = 20_000_000
const WARM_SAMPLES = 5

export const streamChecks: readonly BindingCheck[] = [
  {
    id: 'stream-events',
    title: 'the first event is there before the handler ends, duplicates wait for its end, and its replay is 410',
    peers: ['IDJ 6', 'NI 7', 'HI 5', 'NA 3'],
    run: async (client) => {
      const stream = await client.begin('/events').opened
      assert.equal(stream.status, 201)
      assert.match(stream.header('content-type') ?? '', /^text\/event-stream/)
      assert.equal(String(await stream.next()), 'data: first\n\n')
      const duplicate = client.begin('/events')
      await client.openGate()
      assert.equal(String(await stream.rest()), 'data: last\n\n')
      for (const again of [await duplicate.received(), await client.send('/events')]) {
        assertProblem(again, 410, 'not-replayable')
        assert.deepEqual((again.json() as { original: unknown }).original, { status: 201, location: '/charges/1' })
        assert.equal(again.header('location'), '/charges/1')
      }
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'stream-breaks',
    title: 'a stream that fails midway looks cut to its caller, and is not lost',
    needs: ['cut answers'],
    run: async (client) => {
      const stream = await client.begin('/breaks').opened
      assert.equal(String(await stream.next()), '{"line":1}\n')
      await client.openGate()
      await assert.rejects(stream.rest(), 'a stream that failed must not look complete')
      const again = await client.send('/breaks')
      assert.deepEqual([again.status, again.json()], [201, { runs: 2 }])
    },
  },
  {
    id: 'stream-large',
    title: 'an answer that is too large to keep reaches its caller, and is not run again',
    peers: ['NA 3'],
    run: async (client) => {
      const stream = await client.begin('/large').opened
      assert.deepEqual([stream.status, await stream.drain()], [201, LARGE_BYTES])
      assertProblem(await client.send('/large'), 410, 'not-replayable')
      assert.equal(await client.runs(), 1)
    },
  },
  {
    id: 'stream-huge',
    title: 'a stream of 500 MB takes less than 64 MB of memory that its first 100 MB did not take',
    needs: ['memory'],
    run: async (client) => {
      const stream = await client.begin('/huge').opened
      const samples: number[] = []
      let size = 0
      for (let piece = await stream.next(); piece; piece = await stream.next()) {
        size += piece.length
        if (size >= (samples.length + 1) * SAMPLE_BYTES) samples.push((await client.residentBytes()) ?? Number.NaN)
      }
      assert.equal(size, HUGE_BYTES)
      // what a runtime takes for its first streams it keeps
      const grown = Math.max(...samples.slice(WARM_SAMPLES)) - Math.max(...samples.slice(0, WARM_SAMPLES))
      assert.ok(grown < 64 * MIB, `memory grew by ${Math.round(grown / MIB)} MiB`)
    },
  },
]
