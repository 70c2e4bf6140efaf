/** The same for React: what a component shows while an intent is under way. */
import { useCallback, useEffect, useRef, useState } from 'react'
import type { IdempotentFetch } from './fetch/idempotent-fetch.ts'

export interface IntentState {
  /** Sends, or sends again, and tells what came of it. Never rejects: what went wrong is in `error`. */
  send(input: string | URL, init?: RequestInit): Promise<Response | undefined>
  readonly pending: boolean
  readonly response: Response | undefined
  readonly error: unknown
  /** The user has seen it: the next `send` is something new. */
  done(): Promise<void>
  cancel(): Promise<void>
}

interface Shown {
  readonly pending: boolean
  readonly response: Response | undefined
  readonly error: unknown
}

const NOTHING: Shown = { pending: false, response: undefined, error: undefined }

/** A component that goes away ends its waiting; the key stays, and the next one with the same intent goes on. */
export function useIdempotentFetch(client: IdempotentFetch, intent: string): IntentState {
  const [shown, show] = useState(NOTHING)
  const mounted = useRef<AbortController>(undefined)
  useEffect(() => {
    const here = new AbortController()
    mounted.current = here
    return () => here.abort()
  }, [])

  const send = useCallback(
    async (input: string | URL, init: RequestInit = {}) => {
      const signal = mounted.current?.signal
      show({ ...NOTHING, pending: true })
      try {
        const response = await client.fetch(input, { ...(signal && { signal }), ...init, intent })
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
