/** Explains each state to an operator whose client waits, in one or two sentences. */
import type { RecordState } from '@retryproof/core'

export const MEANINGS: Readonly<Record<RecordState, string>> = {
  parked:
    'An attempt was interrupted, and its outcome is unknown. Every retry gets 409 until somebody decides. Ask the system that the write went to, then say here what happened.',
  in_progress:
    'An attempt holds the key. Retries are told to wait until it settles, or until its lease expires and the next one takes over.',
  released: 'The last attempt gave the key back without a result. The next retry runs the handler again.',
  completed: 'The write is done. Every retry gets the recorded result, and the handler does not run again.',
  failed: 'The failure is recorded. Every retry gets it, and the handler does not run again.',
}
