/** A resource route: its action is a Fetch handler. */
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import type { ActionFunctionArgs } from 'react-router'
import { idempotent } from '../../../../../src/fetch.ts'

const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
let charges = 0

const charge = idempotent(
  idempotency,
  { operation: 'POST /charges', scope: ({ headers }) => headers.get('x-user') ?? '' },
  async (request, { attempt }) => {
    const { amount } = (await request.json()) as { amount: number }
    const body = { charge: ++charges, amount, providerKey: attempt?.keyFor('charge') }
    return Response.json(body, { status: 201, headers: { Location: `/charges/${charges}` } })
  },
)

export const action = ({ request }: ActionFunctionArgs) => charge(request)

export const loader = () => Response.json({ charges })
