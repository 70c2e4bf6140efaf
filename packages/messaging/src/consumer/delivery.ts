import type { DeadLetter } from '../once/verdict.ts'

/** A message in the hands of a consumer: what a binding makes of what its broker delivers. */
export interface Delivery<Message> {
  readonly message: Message
  readonly body: Uint8Array
  /** What the broker or the publisher calls it; undefined where it has no name. */
  readonly messageId: string | undefined
  /** How often it was delivered, this time included; undefined where the broker does not say. */
  readonly deliveries: number | undefined
  /** Whether the broker will not deliver it again. */
  readonly isLastDelivery?: boolean
  /** Whether it comes from the dead letters (its headers say so). */
  readonly isRedriven: boolean
  /** Keeps the broker from giving it to another consumer, each `everyMs`, for as long as this one is at work on it. */
  readonly extend?: { readonly everyMs: number; act(): unknown }
  /** Tells the broker that it is done. */
  ack(): Promise<unknown> | undefined
  /** Lets it come back after the delay. */
  redeliver(delayMs: number): Promise<unknown> | undefined
  /** Puts it among the dead letters; resolves when the broker has confirmed that. */
  deadLetter(letter: DeadLetter): Promise<unknown>
}
