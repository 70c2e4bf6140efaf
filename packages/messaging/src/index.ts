export { type Consumer, createConsumer } from './consumer/consumer.ts'
export type {
  ConsumerHandle,
  ConsumerOptions,
  Drained,
  MessageContext,
  MessageHandler,
} from './consumer/consumer-options.ts'
export { deadLetterHeaders, ID_HEADER, REASON_HEADER } from './consumer/dead-letter-headers.ts'
export type { Delivery } from './consumer/delivery.ts'
export type { IncomingMessage, MessageAttempt, MessageTx, MessageWork } from './once/message.ts'
export { createOnce, type Once, once } from './once/once.ts'
export type { OnceOptions } from './once/once-options.ts'
export { deliveriesNeeded, type RedeliveryDelay, requireDeliveries } from './once/redelivery-delay.ts'
export type {
  DeadLetter,
  DeadLettered,
  DeadLetterReason,
  Duplicate,
  Handled,
  Redeliver,
  Verdict,
} from './once/verdict.ts'
