/** Sends a message to the dead letters. */
import type { IncomingMessage } from './message.ts'
import type { ReadOnce } from './once-options.ts'
import { growingDelay } from './redelivery-delay.ts'
import type { DeadLetter, Verdict } from './verdict.ts'

/** Makes a dead letter of a message without touching a record. */
export async function putAway(
  { delays }: Pick<ReadOnce, 'delays'>,
  message: Pick<IncomingMessage, 'deadLetter' | 'deliveries'>,
  letter: DeadLetter,
): Promise<Verdict> {
  try {
    await message.deadLetter(letter)
    return { action: 'ack', because: 'dead-letter', letter }
  } catch (error) {
    return {
      action: 'redeliver',
      delayMs: growingDelay(delays, message.deliveries ?? 1),
      because: 'unavailable',
      error,
    }
  }
}
