/** Pays with TanStack Query and with SWR, as docs/clients.md has it, for its tests. */
import { createIdempotentFetch } from '@retryproof/client'
import { QueryClient, QueryClientProvider, useMutation } from '@tanstack/react-query'
import { createElement } from 'react'
import { createRoot } from 'react-dom/client'
import useSWRMutation from 'swr/mutation'

interface Payment {
  readonly cart: string
  readonly amount: number
}

const keys: string[] = []

/** Loses its first two answers. */
const client = createIdempotentFetch({
  retry: { backoff: { first: 1, max: 1 } },
  fetch: async (input, init) => {
    keys.push(new Request(input, init).headers.get('Idempotency-Key') ?? '')
    if (keys.length < 3) throw new TypeError('Failed to fetch')
    return Response.json({ charge: 1 }, { status: 201 })
  },
})

async function pay({ cart, amount }: Payment): Promise<{ charge: number }> {
  const response = await client.fetch('/payments', { intent: `pay-${cart}`, body: JSON.stringify({ amount }) })
  if (!response.ok) throw new Error(`Not paid: ${response.status}`)
  return response.json()
}

function TanStack() {
  const { mutate, status } = useMutation({ mutationFn: pay, retry: false })
  return button('tanstack', status, () => mutate({ cart: 'tanstack', amount: 100 }))
}

function Swr() {
  const { trigger, data, error } = useSWRMutation('/payments', (_, { arg }: { arg: Payment }) => pay(arg))
  const status = data ? 'success' : error ? 'error' : 'idle'
  return button('swr', status, () => void trigger({ cart: 'swr', amount: 100 }))
}

function button(id: string, status: string, onClick: () => void) {
  return createElement('button', { id, type: 'button', 'data-status': status, onClick }, id)
}

createRoot(document.body).render(
  createElement(QueryClientProvider, { client: new QueryClient() }, createElement(TanStack), createElement(Swr)),
)

const recipes = { keys: () => keys }

export type Recipes = typeof recipes

Object.assign(globalThis, { recipes })
