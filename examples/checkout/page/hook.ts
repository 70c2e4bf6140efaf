/** A component that pays with the hook of `@retryproof/client/react`, for its tests. */
import { createIdempotentFetch } from '@retryproof/client'
import { useIdempotentFetch } from '@retryproof/client/react'
import { createElement, StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'

/** The requests that were sent, each with a function that answers it. */
const sent: { key: string; signal: AbortSignal; answer(status: number): void }[] = []

const client = createIdempotentFetch({
  fetch: (input, init) =>
    new Promise((resolve) => {
      const { headers, signal } = new Request(input, init)
      const key = headers.get('Idempotency-Key') ?? ''
      sent.push({ key, signal, answer: (status) => resolve(new Response('{}', { status })) })
    }),
})

function Pay({ intent }: { readonly intent: string }) {
  const { send, pending, response, error, cancel } = useIdempotentFetch(client, intent)
  const state = pending ? 'pending' : (response?.status ?? (error === undefined ? 'nothing' : String(error)))
  const button = (id: string, onClick: () => unknown) =>
    createElement('button', { id, type: 'button', onClick: () => void onClick() }, id)
  return createElement(
    'div',
    {},
    // a signal of the component's own does not replace that of the hook
    button('pay', () => send('/payments', { method: 'POST', body: '{}', signal: new AbortController().signal })),
    button('cancel', cancel),
    createElement('output', { id: 'state' }, state),
  )
}

function App() {
  const [isThere, place] = useState(true)
  return createElement(
    'main',
    {},
    createElement('button', { id: 'toggle', type: 'button', onClick: () => place(!isThere) }, 'toggle'),
    isThere && createElement(Pay, { intent: 'pay with the hook' }),
  )
}

createRoot(document.body).render(createElement(StrictMode, {}, createElement(App)))

const hook = {
  keys: () => sent.map(({ key }) => key),
  isAborted: (index: number) => sent[index]?.signal.aborted,
  answer: (index: number, status: number) => sent[index]?.answer(status),
}

export type Hook = typeof hook

Object.assign(globalThis, { hook })
