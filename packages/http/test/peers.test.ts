/** Defects of other libraries, by the ids under which they are known to us, where no framework is needed to show them. */
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { expect, it } from 'vitest'
import { answered, createGuard, type Exchange } from '../src/index.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function guarded() {
  const guard = createGuard<{ user: string }>(createIdempotency({ store: memoryStore(), namespace: 'test' }), {
    scope: ({ user }) => user,
  })
  let runs = 0
  const ask = async (exchange: Partial<Exchange<{ user: string }>> & { key?: string }) => {
    const { key = 'k1', ...others } = exchange
    const headers = [
      ['Idempotency-Key', key],
      ['Content-Type', 'application/json'],
    ] as const
    const request = {
      method: 'POST',
      target: '/a',
      route: '/a',
      headers,
      body: bytes('{}'),
      native: { user: 'ann' },
      ...others,
    }
    const decision = await guard.handle(request, {
      async execute() {
        runs++
        return answered({ response: { status: 201, headers: [], body: bytes(String(runs)) }, replayable: true })
      },
      answerEarly: async () => {},
    })
    return { runs, status: decision.kind === 'send' ? decision.response.status : decision.kind }
  }
  return ask
}

it('IDJ 1: a key belongs to an operation and a caller', async () => {
  const ask = guarded()
  await ask({})
  expect(await ask({ route: '/b', target: '/b' })).toEqual({ status: 'own', runs: 2 })
  expect(await ask({ native: { user: 'bob' } })).toEqual({ status: 'own', runs: 3 })
})

it('IDJ 10: quoted and bare are one key, and every RFC 9651 string is a key', async () => {
  const ask = guarded()
  await ask({ key: 'k1' })
  expect(await ask({ key: '"k1"' })).toEqual({ status: 201, runs: 1 })
  expect(await ask({ key: '"a, b"' })).toEqual({ status: 'own', runs: 2 })
})

it('NI 12: the order of members is no other payload', async () => {
  const ask = guarded()
  await ask({ body: bytes('{"a":1,"b":2}') })
  expect(await ask({ body: bytes('{"b":2,"a":1}') })).toEqual({ status: 201, runs: 1 })
})

it('NA 2: the caller is part of the key', async () => {
  const ask = guarded()
  await ask({ native: { user: 'alice' } })
  expect(await ask({ native: { user: 'bob' } })).toEqual({ status: 'own', runs: 2 })
})

it('EI 4: a mismatch is 422', async () => {
  const ask = guarded()
  await ask({ body: bytes('{"a":1}') })
  expect(await ask({ body: bytes('{"a":2}') })).toEqual({ status: 422, runs: 1 })
})
