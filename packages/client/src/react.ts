'use client'

/** The client for React: what a component shows while an intent is under way. */
import { useCallback, useEffect, useRef, useState } from 'react'
import type { IdempotentFetch } from './fetch/idempotent-fetch.ts'
import type { Input } from './fetch/request-body.ts'

export interface IntentState {
  /** Sends, or sends again, and resolves with the answer. Never rejects: `error` has the reason; show it. */
  send(input: Input, init?: RequestInit): Promise<Response | undefined>
  readonly pending: boolean
  readonly response: Response | undefined
  readonly error: unknown
  /** Ends the intent, once the user has seen its answer: the next `send` is something new. */
  done(): Promise<void>
  /** Gives the intent up, and ends what is under way. A request that was sent may still take effect. */
  cancel(): Promise<void>
}

interface Shown {
  readonly pending: boolean
  readonly response: Response | undefined
  readonly error: unknown
}

const NOTHING: Shown = { pending: false, response: undefined, error: undefined }

/**
 * Sends an intent, and shows its state. A component that goes away ends its waiting; the key stays, and the next one with
 * the same intent goes on.
 *
 * @example
 * import { createIdempotentFetch } from '@retryproof/client'
 * import { useIdempotentFetch } from '@retryproof/client/react'
 *
 * const client = createIdempotentFetch()
 *
 * function usePayment(cart: string) {
 *   const { send, pending, response, error } = useIdempotentFetch(client, `pay-${cart}`)
 *   const pay = (amount: number) => send('/charges', { method: 'POST', body: JSON.stringify({ amount }) })
 *   const text = error ? 'We do not know yet. Press again.' : response?.ok ? 'Paid' : 'Not paid'
 *   return { pay, pending, text }
 * }
 */
export function useIdempotentFetch(client: IdempotentFetch, intent: string): IntentState {
  const [shown, show] = useState(NOTHING)
  const mounted = useRef<AbortController>(undefined)
  useEffect(() => {
    const here = new AbortController()
    mounted.current = here
    return () => here.abort()
  }, [])

  const send = useCallback(
    async (input: Input, init: RequestInit = {}) => {
      const signal = mounted.current?.signal
      const both = AbortSignal.any([signal, init.signal].filter((one) => one != null))
      show({ ...NOTHING, pending: true })
      try {
        const response = await client.fetch(input, { ...init, signal: both, intent })
        if (!signal?.aborted) show({ ...NOTHING, response })
        return response
      } catch (error) {
        if (!signal?.aborted) show({ ...NOTHING, error })
        return undefined
      }
    },
    [client, intent],
  )
  const clear = useCallback(
    async (how: 'done' | 'cancel') => {
      await client[how](intent)
      show(NOTHING)
    },
    [client, intent],
  )
  return { ...shown, send, done: () => clear('done'), cancel: () => clear('cancel') }
}
