import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink, TRPCClientError } from '@trpc/client'
import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createTrpc } from '../src/trpc.ts'

type Router = ReturnType<typeof createTrpc>

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

const links = { httpLink, httpBatchLink, httpBatchStreamLink }

/** Serves a router, and gives a client of each kind. */
async function serving(charge: (amount: number, providerKey: string) => Promise<string>) {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
  const createContext = ({ req }: { req: { headers: NodeJS.Dict<string | string[]> } }) => ({
    user: req.headers['x-user']?.toString(),
  })
  const server = createServer(createHTTPHandler({ router: createTrpc(idempotency, charge), createContext }))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return (link: keyof typeof links, user = 'ann') => {
    const headers = { Connection: 'close', ...(user && { 'X-User': user }) }
    return createTRPCClient<Router>({ links: [links[link]({ url, headers })] })
  }
}

/** Gives the value of a call, or the code of its error. */
async function outcomeOf(call: Promise<string>): Promise<string> {
  try {
    return await call
  } catch (error) {
    if (error instanceof TRPCClientError) return String(error.data?.code)
    throw error
  }
}

describe('tRPC', () => {
  it('runs each mutation once, whatever link sends it, and says what is wrong', async () => {
    const charges: number[] = []
    const clientOf = await serving(async (amount, providerKey) => {
      charges.push(amount)
      return `${amount} by ${providerKey.length}`
    })
    for (const link of ['httpLink', 'httpBatchLink', 'httpBatchStreamLink'] as const) {
      const { charge, version } = clientOf(link)
      const both = [charge.mutate({ key: 'k1', amount: 1 }), charge.mutate({ key: 'k2', amount: 2 })]
      expect([await Promise.all(both), await version.query()]).toEqual([['1 by 32', '2 by 32'], 1])
    }
    expect(charges).toEqual([1, 2])
    const { charge } = clientOf('httpBatchLink')
    expect(await outcomeOf(charge.mutate({ key: 'k1', amount: 2 }))).toBe('UNPROCESSABLE_CONTENT')
    expect(await outcomeOf(charge.mutate({ amount: 2 } as never))).toBe('BAD_REQUEST')
    expect(await outcomeOf(clientOf('httpLink', '').charge.mutate({ key: 'k1', amount: 1 }))).toBe('UNAUTHORIZED')
    expect(await clientOf('httpLink', 'bob').charge.mutate({ key: 'k1', amount: 1 })).toBe('1 by 32')
    expect(charges).toEqual([1, 2, 1])
  })

  it('does in a batch what each call alone would do, and only what has not been done', {
    timeout: 60_000,
  }, async () => {
    const call = fc.record({
      key: fc.constantFrom('k1', 'k2', 'k3', 'k4'),
      amount: fc.constantFrom(1, 2),
      fails: fc.boolean(),
    })
    const batches = fc.array(fc.uniqueArray(call, { minLength: 1, maxLength: 4, selector: ({ key }) => key }), {
      minLength: 1,
      maxLength: 5,
    })
    const link = fc.constantFrom<keyof typeof links>('httpLink', 'httpBatchLink', 'httpBatchStreamLink')
    await fc.assert(
      fc.asyncProperty(batches, link, async (sent, kind) => {
        let failing = new Set<number>()
        const charges: number[] = []
        const clientOf = await serving(async (amount) => {
          if (failing.has(amount)) throw new Error('The provider is down.')
          return `charge ${charges.push(amount)} of ${amount}`
        })
        const { charge } = clientOf(kind)
        // a key stays bound to its first input, also where its work failed
        const bound = new Map<string, number>()
        const done = new Map<string, string>()
        for (const batch of sent) {
          failing = new Set(batch.filter(({ fails }) => fails).map(({ amount }) => amount))
          const before = charges.length
          const outcomes = await Promise.all(batch.map(({ key, amount }) => outcomeOf(charge.mutate({ key, amount }))))
          let made = 0
          for (const [index, { key, amount }] of batch.entries()) {
            const outcome = outcomes[index] ?? ''
            if ((bound.get(key) ?? amount) !== amount) expect(outcome).toBe('UNPROCESSABLE_CONTENT')
            else if (done.has(key)) expect(outcome).toBe(done.get(key))
            else if (failing.has(amount)) expect(outcome).toBe('INTERNAL_SERVER_ERROR')
            else {
              expect(outcome).toMatch(new RegExp(`^charge \\d+ of ${amount}$`))
              done.set(key, outcome)
              made++
            }
            if (!bound.has(key)) bound.set(key, amount)
          }
          expect(charges.length).toBe(before + made)
        }
      }),
      { numRuns: 25 },
    )
  })
})
