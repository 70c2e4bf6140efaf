/** Handlers of Fetch that are run again, since their transaction conflicted with another. */
import { contentKey, createIdempotency, unscoped } from '@retryproof/core'
import { describe, expect, it } from 'vitest'
import { conflictError, failingCommits } from '../../../../conformance/test/transactional-store.ts'
import { attemptOf, type FetchOptions, idempotent } from '../../src/fetch.ts'

const text = (form: FormData) => JSON.stringify(Object.fromEntries(form))
const readers: [string, (request: Request) => Promise<string>][] = [
  ['text', (request) => request.text()],
  ['json', async (request) => JSON.stringify(await request.json())],
  ['arrayBuffer', async (request) => Buffer.from(await request.arrayBuffer()).toString()],
  ['blob', async (request) => (await request.blob()).text()],
  ['a clone', (request) => request.clone().text()],
  ['a clone, then the request', async (request) => (await request.clone().text()) && request.text()],
  ['the stream', (request) => new Response(request.body).text()],
  [
    'a part of the stream',
    async (request) => {
      const { value } = (await request.body?.getReader().read()) ?? {}
      return Buffer.from(value ?? []).toString()
    },
  ],
  ['nothing', async () => ''],
]

/** A request of a framework, with members of its own. */
class RoutedRequest extends Request {
  readonly params = { id: '7' }
  get path() {
    return new URL(this.url).pathname
  }
}

describe('a Fetch handler whose transaction conflicts', () => {
  function serving(handler: (request: Request) => Promise<string>, thrown = 0, given: Partial<FetchOptions<[]>> = {}) {
    const store = failingCommits(conflictError(), conflictError())
    const seen: string[] = []
    const options = { scope: unscoped, operation: 'charge', transaction: true, ...given } as const
    const charge = idempotent(
      createIdempotency({ store, namespace: 'test' }),
      options,
      async (request, { attempt }) => {
        expect(attemptOf(request)).toBe(attempt)
        seen.push(await handler(request))
        if (seen.length <= thrown) throw conflictError()
        return new Response(seen.at(-1), { status: 201 })
      },
    )
    return { charge, seen }
  }
  const post = (body: string | URLSearchParams) =>
    new RoutedRequest('http://test/charges', { method: 'POST', body, headers: { 'Idempotency-Key': 'k1' } })

  it.each(readers)('is given the body in every run: %s', async (_name, read) => {
    for (const thrown of [0, 2]) {
      const { charge, seen } = serving(read, thrown)
      const first = await charge(post('{"amount":1}'))
      expect([first.status, await first.text()]).toEqual([201, seen[0]])
      expect(seen).toEqual(Array.from({ length: thrown + 3 }, () => seen[0]))
      expect((await charge(post('{"amount":1}'))).headers.get('idempotency-replayed')).toBe('true')
    }
  })

  it.each<[string, Partial<FetchOptions<[]>>]>([
    ['a fingerprint of something else', { fingerprint: () => 'same' }],
    ['a key of the content', { key: () => contentKey({ doc: 7 }, { window: '24h' }) }],
  ])('is given the body in every run where the guard has not read it: %s', async (_name, given) => {
    for (const [, read] of readers) {
      const { charge, seen } = serving(read, 1, given)
      expect((await charge(post('{"amount":1}'))).status).toBe(201)
      expect(seen).toEqual(Array.from({ length: 4 }, () => seen[0]))
    }
  })

  it('is given a form in every run', async () => {
    const { charge, seen } = serving(async (request) => text(await request.formData()))
    expect((await charge(post(new URLSearchParams({ amount: '1' })))).status).toBe(201)
    expect(seen).toEqual(Array.from({ length: 3 }, () => '{"amount":"1"}'))
  })

  it('is given the same request in every run, with what its framework put on it', async () => {
    const sent = post('{"amount":1}')
    const { charge, seen } = serving(async (request) => {
      const { params, path } = request as RoutedRequest
      const { bodyUsed } = request
      return [request === sent, params.id, path, bodyUsed, await request.text(), request.bodyUsed].join(' ')
    })
    await charge(sent)
    expect(seen).toEqual(Array.from({ length: 3 }, () => 'true 7 /charges false {"amount":1} true'))
  })
})

describe('a Fetch handler with a transaction behind another guard of its operation', () => {
  it.each([false, true])(
    'is refused, since it would run without its own (the other has one: %s)',
    async (transaction) => {
      const idempotency = createIdempotency({ store: failingCommits(), namespace: 'test' })
      const options = { scope: unscoped, operation: 'charge' } as const
      let runs = 0
      const inner = idempotent(idempotency, { ...options, transaction: true }, () => {
        runs++
        return new Response(null, { status: 201 })
      })
      const outer = transaction
        ? idempotent(idempotency, { ...options, transaction }, (request) => inner(request))
        : idempotent(idempotency, options, (request) => inner(request))
      const request = new Request('http://test/charges', { method: 'POST', headers: { 'Idempotency-Key': 'k1' } })
      await expect(outer(request)).rejects.toMatchObject({ code: 'IDEMPOTENCY_INVALID_OPTION' })
      expect(runs).toBe(0)
    },
  )
})
