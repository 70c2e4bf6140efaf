/** What becomes of a message. */

/** Why a message is given up, and put where a person will look. */
export type DeadLetterReason =
  /** It has no id, so that nothing can tell it from its duplicates. */
  | 'no-id'
  /** Its id, scope or payload cannot be used: empty, longer than 255 characters, no well-formed text. */
  | 'invalid'
  /** Its body does not parse, or it has not what an option reads from it. */
  | 'unreadable'
  /** Another message with the same id and another payload was here first. */
  | 'key-reused'
  /** The handler failed in a way that `onFailure` calls final. */
  | 'failed'
  /** It was attempted `maxAttempts` times, crashes included. */
  | 'max-attempts'
  /** An attempt was interrupted, and `onTakeover` leaves it to a person to say what it did. */
  | 'outcome-unknown'
  /** Its record cannot be read. */
  | 'undecodable'
  /** This was the last time that the broker would deliver it, and it could not be handled now. */
  | 'last-delivery'
  /** It comes back from the dead letters, and its record says that it failed: `forget` its id to have it handled again. */
  | 'failed-before'

export interface DeadLetter {
  readonly reason: DeadLetterReason
  /** For people: what happened, in one sentence. */
  readonly description: string
  /** What was thrown, where something was. */
  readonly error?: unknown
  /** How often the handler was attempted, where that is known. */
  readonly attempts?: number
}

/** What is to be done with a message now. Whatever is dead-lettered, is so already, and confirmed. */
export type Verdict = Handled | Duplicate | DeadLettered | Redeliver

/** Its effect is done and recorded. */
export interface Handled {
  readonly action: 'ack'
  readonly because: 'handled'
  readonly attempt: number
}

/** It was handled, or given up, before. */
export interface Duplicate {
  readonly action: 'ack'
  readonly because: 'duplicate'
}

export interface DeadLettered {
  readonly action: 'ack'
  readonly because: 'dead-letter'
  readonly letter: DeadLetter
}

export interface Redeliver {
  readonly action: 'redeliver'
  /** How long it should not be delivered, in milliseconds. */
  readonly delayMs: number
  /**
   * `'unrecorded'`: the effect is done, and no record says so. `'unavailable'`: the store, the database or the broker of
   * the dead letters could not do what it had to.
   */
  readonly because: 'in-progress' | 'failed' | 'unrecorded' | 'unavailable' | 'draining'
  readonly error?: unknown
}
