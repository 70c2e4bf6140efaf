export { type Consumer, createConsumer } from './consumer.ts'
export type { ConsumerOptions, Consuming, Drained, MessageContext, MessageHandler } from './consumer-options.ts'
export { deadLetterHeaders, ID_HEADER, REASON_HEADER } from './dead-letter-headers.ts'
export { deliveriesNeeded, type RedeliveryDelay, requireDeliveries } from './delays.ts'
export type { Delivery } from './delivery.ts'
export type { Deduplicating, IncomingMessage, MessageAttempt, MessageTx, MessageWork } from './message.ts'
export { createOnce, type Once, once } from './once.ts'
export type { OnceOptions } from './once-options.ts'
export type {
  DeadLetter,
  DeadLettered,
  DeadLetterReason,
  Duplicate,
  Handled,
  Redeliver,
  Verdict,
} from './verdict.ts'
