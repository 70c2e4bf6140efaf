/** An instance of the engine on a memory store, with everything that happens written down. */
import { memoryStore } from '@retryproof/memory'
import { afterEach, beforeEach, vi } from 'vitest'
import type { Attempt } from '../src/api/attempt.ts'
import type { Call, Outcome } from '../src/api/call.ts'
import { type EventType, eventTypes, type IdempotencyEvents } from '../src/api/events.ts'
import type { Idempotency, IdempotencyOptions } from '../src/api/idempotency.ts'
import type { Policies } from '../src/api/policies.ts'
import { createIdempotency } from '../src/engine/create-idempotency.ts'
import type { IdempotencyStore } from '../src/store/store.ts'
import { gate, type InterposedStore, interposed } from './interposed-store.ts'

export const charge: Call = { operation: 'charge', scope: 'user_42', key: 'k1', payload: { amount: 100 } }

export interface Testbed {
  readonly idempotency: Idempotency
  readonly store: InterposedStore
  /** The types of all events so far. */
  readonly told: EventType[]
  /** The events of one type so far. */
  events<Type extends EventType>(type: Type): IdempotencyEvents[Type][]
}

/** One process. Several of them share records where they are given the same `records`. */
export function testbed(options: Partial<IdempotencyOptions> & { readonly records?: IdempotencyStore } = {}): Testbed {
  const { records = memoryStore({ now: () => Date.now() }), ...rest } = options
  const store = interposed(records)
  const idempotency = createIdempotency({ store, namespace: 'payments', purge: false, ...rest })
  const seen: { readonly type: EventType; readonly event: unknown }[] = []
  const told: EventType[] = []
  for (const type of eventTypes) {
    idempotency.on(type, (event) => {
      seen.push({ type, event })
      told.push(type)
    })
  }
  return {
    idempotency,
    store,
    told,
    events: <Type extends EventType>(type: Type) =>
      seen.filter((each) => each.type === type).map(({ event }) => event as IdempotencyEvents[Type]),
  }
}

/** Two processes on the same records. */
export function twoProcesses(options: Partial<IdempotencyOptions> = {}): [Testbed, Testbed] {
  const records = memoryStore({ now: () => Date.now() })
  return [testbed({ ...options, records }), testbed({ ...options, records })]
}

/** Each test of the file is on a clock of its own, which stands still until it is advanced (ms). */
export function onVirtualTime(): { advance(ms: number): Promise<unknown> } {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
  return { advance: (ms) => vi.advanceTimersByTimeAsync(ms) }
}

/** An attempt that holds a key for as long as a test wants. */
export interface Held<T> {
  readonly attempt: Attempt
  /** The outcome of its call. */
  readonly outcome: Promise<Outcome<T>>
  finish(value: T): void
  fail(error: unknown): void
}

/** Runs a call, and is there once its handler runs. */
export async function hold<T = string>({ idempotency }: Testbed, call = charge, policies?: Policies): Promise<Held<T>> {
  const started = gate<Attempt>()
  const returned = gate<() => T>()
  const outcome = idempotency.run<T, T>(
    call,
    async (attempt) => {
      started.open(attempt)
      return (await returned.opened)()
    },
    policies,
  )
  // a test that expects a failure looks at it later
  outcome.catch(() => undefined)
  return {
    attempt: await started.opened,
    outcome,
    finish: (value) => returned.open(() => value),
    fail: (error) =>
      returned.open(() => {
        throw error
      }),
  }
}
