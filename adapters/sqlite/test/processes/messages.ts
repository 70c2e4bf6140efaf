import type { IdempotencyStore } from '@retryproof/core'
import type { ListQuery } from '@retryproof/core/store'

type Method = 'begin' | 'transition' | 'get' | 'purge'

export type Call =
  | { readonly [M in Method]: { method: M; args: Parameters<Required<IdempotencyStore>[M]> } }[Method]
  | { readonly method: 'list'; readonly args: [query: ListQuery] }
  | { readonly method: 'acquireAll'; readonly args: [keys: readonly string[]] }
  | { readonly method: 'holdLock'; readonly args: [] }

/** `nowMs`: the injected clock, where there is one. */
export type Request = Call & { readonly id: number; readonly nowMs?: number }

export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: { readonly name: string; readonly message: string; readonly applied: 'no' | 'unknown' | undefined }
}
