/** Turns: a property over any mix of work that ends, fails or takes too long to begin. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createTurns, within } from '../src/base/bounded.ts'
import { onVirtualTime } from './testbed.ts'

const { advance } = onVirtualTime()
const late = () => new Error('late')

describe('turns', () => {
  test('never more at a time than the limit, in order, and every one that was not late ran once', async () => {
    const jobs = fc.array(fc.record({ ms: fc.nat(50), fails: fc.boolean() }), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), jobs, async (limit, list) => {
        const inTurn = createTurns(limit, 100, late)
        let running = 0
        let most = 0
        const begun: number[] = []
        const ends = list.map(({ ms, fails }, index) =>
          inTurn(async () => {
            begun.push(index)
            most = Math.max(most, ++running)
            await new Promise((resolve) => setTimeout(resolve, ms))
            running--
            if (fails) throw new Error('failed')
          }).catch((error: Error) => error.message),
        )
        await advance(5_000)
        const answers = await Promise.all(ends)
        expect(most).toBeLessThanOrEqual(limit)
        expect(begun).toEqual(begun.toSorted((a, b) => a - b))
        expect(begun).toHaveLength(answers.filter((answer) => answer !== 'late').length)
        // all places are free again
        const again = Promise.all(Array.from({ length: limit }, () => inTurn(async () => 'ran')))
        expect(await again).toEqual(Array(limit).fill('ran'))
        expect(vi.getTimerCount()).toBe(0)
      }),
    )
  })
})

test('within: the answer, its error, or that it is late, and no timer stays', async () => {
  expect(await within(10, Promise.resolve(1), late)).toBe(1)
  await expect(within(10, Promise.reject(new Error('own')), late)).rejects.toThrow('own')
  const never = within(10, new Promise(() => {}), late)
  const told = expect(never).rejects.toThrow('late')
  await advance(11)
  await told
  expect(vi.getTimerCount()).toBe(0)
})

test('within: an answer that arrived while the event loop was blocked is no late one', async () => {
  vi.useRealTimers()
  const [client, server] = await pair()
  const answer = new Promise((resolve) => client.once('data', (data) => resolve(String(data))))
  const asked = within(50, answer, late)
  server.write('here')
  const until = performance.now() + 200
  while (performance.now() < until);
  expect(await asked).toBe('here')
  client.destroy()
  server.destroy()
})

/** Two ends of one connection, whose bytes are already there when the loop comes to read them. */
async function pair(): Promise<[Socket, Socket]> {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve))
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1')
  const server = await accepted
  listener.close()
  return [client, server]
}
