import { contentKey, createIdempotency, type Idempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import type { HttpOptions } from '../src/index.ts'
import { type Asked, newIdempotency, setUp, text } from './set-up.ts'

const json = [
  ['Idempotency-Key', 'k1'],
  ['Content-Type', 'application/json'],
] as const
const sent = (body: unknown) => ({ headers: json, body: text(JSON.stringify(body)) })

/** The statuses of some requests, each to a guard with options of its own on one store. */
async function statuses(requests: readonly [options: Partial<HttpOptions<Asked>>, body: unknown][]) {
  const idempotency = newIdempotency()
  const answers: (number | string)[] = []
  for (const [options, body] of requests) {
    const answer = await setUp(options, idempotency).ask(sent(body))
    answers.push(answer.headers['idempotency-replayed'] ? 'replayed' : answer.status)
  }
  return answers
}

describe('a fingerprint rule that changes between two versions', () => {
  const omit = { fingerprint: { omit: ['coupon'] } }
  const pick = { fingerprint: { pick: ['item'] } }
  const whole = { omit: [] }

  it('needs nothing where the new members are not in the body', async () => {
    expect(
      await statuses([
        [{}, { item: 'book' }],
        [omit, { item: 'book' }],
        [{}, { item: 'book' }],
      ]),
    ).toEqual(['own', 'replayed', 'replayed'])
  })

  it('makes a mismatch of a retry, unless the old rule is accepted', async () => {
    const body = { item: 'book', trace: 1 }
    expect(
      await statuses([
        [{}, body],
        [pick, body],
      ]),
    ).toEqual(['own', 422])
    expect(
      await statuses([
        [{}, body],
        [{ ...pick, acceptFingerprints: [whole] }, body],
      ]),
    ).toEqual(['own', 'replayed'])
    expect(
      await statuses([
        [pick, body],
        [{ acceptFingerprints: [pick.fingerprint] }, body],
      ]),
    ).toEqual(['own', 'replayed'])
  })

  it('still refuses another request, by every rule', async () => {
    const accepting = { ...pick, acceptFingerprints: [whole, { omit: ['trace'] }] }
    expect(
      await statuses([
        [{}, { item: 'book' }],
        [accepting, { item: 'pen' }],
      ]),
    ).toEqual(['own', 422])
    expect(
      await statuses([
        [accepting, { item: 'book' }],
        [accepting, { item: 'pen' }],
      ]),
    ).toEqual(['own', 422])
  })

  it('records by the new rule', async () => {
    const accepting = { ...pick, acceptFingerprints: [whole] }
    expect(
      await statuses([
        [accepting, { item: 'book', trace: 1 }],
        [pick, { item: 'book', trace: 2 }],
      ]),
    ).toEqual(['own', 'replayed'])
  })
})

describe('a fingerprint that is a function', () => {
  it('counts what it gives, and nothing else but the method', async () => {
    const { ask } = setUp({ fingerprint: async ({ user }) => ({ by: user }) })
    expect(await ask({ ...sent(1), target: '/charges?utm=1' })).toMatchObject({ status: 'own' })
    expect(await ask({ ...sent(2), target: '/charges' })).toMatchObject({ status: 201, runs: 1 })
    expect(await ask({ ...sent(2), method: 'PATCH', route: '/charges' })).toMatchObject({ status: 'own' })
  })

  it('reads no body, and takes multipart', async () => {
    const read = () => Promise.reject(new Error('was read'))
    const headers = [
      ['Idempotency-Key', 'k1'],
      ['Content-Type', 'multipart/form-data; boundary=x'],
    ] as const
    const { ask } = setUp({ fingerprint: () => null })
    expect(await ask({ headers, body: undefined, read })).toMatchObject({ status: 'own' })
  })

  it('must give something', async () => {
    const { ask } = setUp({ fingerprint: () => undefined })
    await expect(ask()).rejects.toThrow(/fingerprint.*gave undefined/)
    await expect(setUp({ fingerprint: () => new (class Money {})() }).ask()).rejects.toThrow(/look into the Money/)
  })
})

describe('a key that was made of content', () => {
  it('is all that counts, unless a rule says more', async () => {
    const key = () => contentKey({ doc: 7 }, { window: '24h' })
    expect(
      await statuses([
        [{ key }, { doc: 7, at: 1 }],
        [{ key }, { doc: 7, at: 2 }],
      ]),
    ).toEqual(['own', 'replayed'])
    const rule = { key, fingerprint: { pick: ['at'] } }
    expect(
      await statuses([
        [rule, { doc: 7, at: 1 }],
        [rule, { doc: 7, at: 2 }],
      ]),
    ).toEqual(['own', 422])
  })
})

describe('a request that has no room in the store', () => {
  const small = (): Idempotency => {
    const store = memoryStore()
    return createIdempotency({
      store: { ...store, capabilities: { ...store.capabilities, maxValueBytes: 100_000 } },
      namespace: 'test',
    })
  }
  const body = 'x'.repeat(60_000)

  it('is refused with 413 before anything is begun', async () => {
    const { ask } = setUp({ storeRequest: 'plaintext' }, small())
    expect(await ask(sent(body))).toMatchObject({ status: 413, runs: 0 })
    const headers = [...json]
    expect(await ask({ headers, body: undefined, parsed: { body } })).toMatchObject({ status: 413, runs: 0 })
    expect(await ask(sent('short'))).toMatchObject({ status: 'own', runs: 1 })
  })

  it('is taken where requests are not kept', async () => {
    expect(await setUp({}, small()).ask(sent(body))).toMatchObject({ status: 'own' })
  })

  it('is an error of configuration where its parser left no JSON', async () => {
    const { ask } = setUp({ storeRequest: 'plaintext' })
    await expect(ask({ headers: json, body: undefined, parsed: { id: 1n } })).rejects.toThrow(/storeRequest.*bigint/)
    await expect(ask({ headers: json, body: undefined, parsed: new Map() })).rejects.toThrow(/storeRequest.*Map/)
  })
})

describe('a guard with transactions', () => {
  it('is refused where a request may pass without one', () => {
    expect(() => setUp({ transaction: true, required: false })).toThrow(/transaction/)
  })
})
