/** Events of an instance. They carry digests, never raw keys or payloads. */

/** Members of every event. */
export interface EventBase {
  readonly namespace: string
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
  /** An attempt begins after one that fell silent, so that nobody knows what that one did. */
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
