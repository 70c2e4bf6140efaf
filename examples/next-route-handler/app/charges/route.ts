import { idempotent } from '@retryproof/http/fetch'
import { after } from 'next/server'
import { idempotency } from '../../lib/idempotency'

/** The charges: a real application has its payment provider here. */
let charges = 0

/** The owner of the key: take it from your session. */
function userOf(request: Request): string {
  return request.headers.get('x-user') ?? ''
}

export const POST = idempotent(
  idempotency,
  { operation: 'POST /charges', scope: userOf, waitUntil: (work) => after(work) },
  async (request, { attempt }) => {
    const { amount } = (await request.json()) as { amount: number }
    if (process.env.PROVIDER_URL) await fetch(process.env.PROVIDER_URL, { method: 'POST' })
    const body = { charge: ++charges, amount, providerKey: attempt?.keyFor('charge') }
    return Response.json(body, { status: 201, headers: { Location: `/charges/${charges}` } })
  },
)

export function GET(): Response {
  return Response.json({ charges })
}
