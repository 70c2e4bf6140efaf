/** Records every call of a store and every event, so that a check can search them for a secret. */
import { eventTypes, type Idempotency, type IdempotencyStore } from '@retryproof/core'
import { wrapStore } from '@retryproof/core/store'

/** Enough for the requests of one check. */
const KEPT = 500

const TOLD = Symbol.for('@retryproof/conformance told')
const shared = globalThis as { [TOLD]?: string[] }

function note(what: unknown): void {
  shared[TOLD] ??= []
  shared[TOLD].push(textOf(what))
  if (shared[TOLD].length > KEPT) shared[TOLD].shift()
}

function textOf(what: unknown): string {
  return JSON.stringify(what, (_name, value: unknown) =>
    value instanceof Error ? [value.name, value.message, value.stack, value.cause, { ...value }] : value,
  )
}

const latin1 = new TextDecoder('latin1')

function beginningOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && latin1.decode(bytes.subarray(0, 4_096))
}

export function isTold(secret: string): boolean {
  return (shared[TOLD] ?? []).some((text) => text.includes(secret))
}

/** The store, with all that it is told noted. */
export function overheard(store: IdempotencyStore<unknown>): IdempotencyStore<unknown> {
  return wrapStore(store, {
    begin(key, claim) {
      note([key, { ...claim, request: beginningOf(claim.request) }])
      return store.begin(key, claim)
    },
    transition(key, token, change) {
      note([key, 'result' in change ? beginningOf(change.result) : change])
      return store.transition(key, token, change)
    },
  })
}

/** Notes every event. */
export function overhear(idempotency: Idempotency): void {
  for (const name of eventTypes) idempotency.on(name, note)
}
