/** Events of an instance. They carry digests, never raw keys or payloads. */

/** Members of every event. */
export interface EventBase {
  /** The namespace of the instance that emits. */
  readonly namespace: string
  /** The operation of the call, as its caller named it. */
  readonly operation: string
  /** The storage key: a digest of scope and key. */
  readonly key: string
}

/** An event of an attempt. */
export interface AttemptEvent extends EventBase {
  readonly attempt: number
  readonly token: number
}

/** Every event by its type. */
export interface IdempotencyEvents {
  /** A handler is about to run. */
  started: AttemptEvent & { readonly interrupted: boolean }
  /** A stored result or failure was given instead of running. */
  replayed: AttemptEvent
  /** The key is held by another attempt, and the caller was told so. */
  conflict: EventBase & { readonly retryAfterMs: number }
  keyReused: EventBase
  /** An attempt takes over from one whose lease expired, and whose effects are unknown. */
  takeover: AttemptEvent
  renewed: AttemptEvent
  /** An attempt found that its lease was over, or that another holds the key. */
  leaseLost: AttemptEvent
  completed: AttemptEvent & { readonly replayable: boolean; readonly durationMs: number }
  failed: AttemptEvent & { readonly durationMs: number }
  released: AttemptEvent & { readonly delayMs: number; readonly durationMs: number }
  parked: AttemptEvent
  /** `recover` could not finish a record: its handler, `authorize`, or the reading of its request failed. */
  recoveryFailed: EventBase & { readonly error: unknown }
  /** The effect is done, but its result could not be recorded: a retry may repeat it. */
  unrecorded: AttemptEvent & { readonly reason: string }
  storeUnavailable: Omit<EventBase, 'operation'> & {
    readonly call: 'begin' | 'transition' | 'get' | 'watch' | 'purge'
    readonly error: unknown
  }
}

export type EventType = keyof IdempotencyEvents

const listed: Readonly<Record<EventType, true>> = {
  started: true,
  replayed: true,
  conflict: true,
  keyReused: true,
  takeover: true,
  renewed: true,
  leaseLost: true,
  completed: true,
  failed: true,
  released: true,
  parked: true,
  recoveryFailed: true,
  unrecorded: true,
  storeUnavailable: true,
}

/** The types of all events, for listeners to everything. */
export const eventTypes = Object.keys(listed) as readonly EventType[]
