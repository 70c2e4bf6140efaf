'use client'

import { createIdempotentFetch } from '@retryproof/client'
import { useIdempotentFetch } from '@retryproof/client/react'

const client = createIdempotentFetch()

export function Pay({ cart }: { readonly cart: string }) {
  const { send, pending } = useIdempotentFetch(client, cart)
  return (
    <button
      type="button"
      disabled={pending}
      onClick={() => send('/charges', { method: 'POST', body: '{"amount":100}' })}
    >
      Pay
    </button>
  )
}
