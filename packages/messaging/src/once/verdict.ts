/** Verdicts on a message. */

/** Reasons to give a message up, and to put it where a person will look. */
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
  /** Says what happened in one sentence, for people. */
  readonly description: string
  /** The error, where there is one. */
  readonly error?: unknown
  /** The number of attempts, where it is known. */
  readonly attempts?: number
}

/** Says what to do with a message now. A dead letter is written and confirmed already. */
export type Verdict = Handled | Duplicate | DeadLettered | Redeliver

/** The effect is done and recorded. */
export interface Handled {
  readonly action: 'ack'
  readonly because: 'handled'
  readonly attempt: number
}

/** The message was handled, or given up, before. */
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
  /** The time before the message should be delivered again, in milliseconds. */
  readonly delayMs: number
  readonly because: RedeliveryReason
  readonly error?: unknown
}

export type RedeliveryReason =
  /** Another consumer has it. */
  | 'in-progress'
  /** The handler threw. */
  | 'failed'
  /** The handler returned `release(…)`. */
  | 'released'
  /** The handler runs on past `maxRun`, or without its lease. It no longer counts towards `concurrency`. */
  | 'timed-out'
  /** The effect is done, and no record says so. */
  | 'unrecorded'
  /** The store, the database or the broker of the dead letters could not do its part. */
  | 'unavailable'
  /** This process is shutting down. */
  | 'draining'
