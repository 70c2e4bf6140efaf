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

/** The end of an execution of the handler: a charge, a declined card, or an error. */
export type Course = 'charged' | 'declined' | 'failed'

/** Its executions take these courses, in order, and then all succeed. */
export function createServer(courses: readonly Course[] = []): Server {
  const left = [...courses]
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'test' })
  const payments: Payment[] = []

  async function handle(request: Request): Promise<Response> {
    const key = request.headers.get('Idempotency-Key') ?? ''
    const body = await request.text()
    try {
      const { value, replayed } = await idempotency.run(
        { operation: 'pay', scope: unscoped, key, payload: body },
        async () => {
          await turn()
          const course = left.shift()
          if (course === 'failed') throw new Error('no luck')
          if (course === 'declined') return 0
          const id = payments.push({ id: payments.length + 1, key, body })
          await turn()
          return id
        },
      )
      const headers = { ...(replayed && { 'Idempotency-Replayed': 'true' }) }
      return Response.json({ id: value }, { status: value > 0 ? 201 : 402, headers })
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
