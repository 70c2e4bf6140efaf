export { type Consumer, createConsumer } from './consumer/consumer.ts'
export type {
  ConsumerHandle,
  ConsumerOptions,
  Drained,
  MessageContext,
  MessageHandler,
} from './consumer/consumer-options.ts'
export type { Delivery, LetterParts } from './consumer/delivery.ts'
export { ID_HEADER, REASON_HEADER, ROUND_HEADER } from './consumer/letter-headers.ts'
export type { IncomingMessage, MessageAttempt, MessageTx, MessageWork } from './once/message.ts'
export { createOnce, type Once, once } from './once/once.ts'
export type { OnceOptions } from './once/once-options.ts'
export type { RedeliveryDelay } from './once/redelivery-delay.ts'
export type {
  DeadLetter,
  DeadLettered,
  DeadLetterReason,
  Duplicate,
  Handled,
  Redeliver,
  RedeliveryReason,
  Verdict,
} from './once/verdict.ts'
