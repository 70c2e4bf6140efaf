/** A server of the project's own core behind a `fetch`: payments, each made once for its key. */
import { createIdempotency, IdempotencyInProgressError, IdempotencyKeyReusedError, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'

export interface Payment {
  readonly id: number
  readonly key: string
  readonly body: string
}

export interface Server {
  readonly fetch: typeof fetch
  /** The effects. */
  readonly payments: readonly Payment[]
}

/** Its handler throws as often as `failures` says so, in order. */
export function createServer(failures: readonly boolean[] = []): Server {
  const left = [...failures]
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const payments: Payment[] = []

  async function handle(request: Request): Promise<Response> {
    const key = request.headers.get('Idempotency-Key') ?? ''
    const body = await request.text()
    try {
      const { value } = await idempotency.run({ operation: 'pay', scope: unscoped, key, payload: body }, async () => {
        await turn()
        if (left.shift()) throw new Error('no luck')
        const id = payments.push({ id: payments.length + 1, key, body })
        await turn()
        return id
      })
      return Response.json({ id: value }, { status: 201 })
    } catch (error) {
      if (error instanceof IdempotencyInProgressError) return problem(409, 'in-progress', true, { 'Retry-After': '0' })
      if (error instanceof IdempotencyKeyReusedError) return problem(422, 'key-reused', false)
      return new Response('failed', { status: 500 })
    }
  }
  return { fetch: async (input, init) => handle(new Request(input, init)), payments }
}

export function problem(
  status: number,
  name: string,
  retryable: boolean,
  headers: Record<string, string> = {},
): Response {
  const body = JSON.stringify({ type: `https://example.com/docs#${name}`, status, retryable })
  return new Response(body, { status, headers: { 'Content-Type': 'application/problem+json', ...headers } })
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
