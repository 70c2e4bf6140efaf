/** The place of a drill, which its workers get in one argument. */
import type { Idempotency } from '@retryproof/core'
import type { PoolClient } from 'pg'
import type { ConsumerHandle, MessageContext, OnceOptions } from '../../src/index.ts'

export type Mode = 'transaction' | 'external'

export interface Place {
  readonly broker: string
  /** Of the broker. */
  readonly url: string
  readonly databaseUrl: string
  /** Of everything that this drill makes; letters, digits and `_`. */
  readonly name: string
  readonly mode: Mode
  /** Is set where half of the messages are hostile: handlers are told by `kind`, and may hang for a while. */
  readonly hostile?: boolean
}

/** The message that a publisher sends, once or more than once. */
export interface Order {
  readonly id: string
  /** The handler never succeeds. */
  readonly isPoison: boolean
  /** Is what the handler of a hostile drill does. */
  readonly kind?: string
}

/** Is a message of a hostile drill, as each broker can carry it. */
export interface RawMessage {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string>>
}

/** Is a dead letter, with the number of its message where a header kept it. */
export interface RawLetter {
  readonly reason: string | undefined
  readonly number: string | undefined
  readonly body: string
}

export type OrderHandler = (
  order: Order,
  context: Pick<MessageContext<unknown, PoolClient, boolean>, 'attempt' | 'tx'>,
) => Promise<unknown>

/** The operations that the drill needs of a broker. */
export interface DrillBroker {
  /** Its name in `scripts/services.mjs`. */
  readonly service: 'kafka' | 'nats' | 'rabbitmq' | 'redis' | 'sqs'
  /** Makes queue and dead letters. */
  prepare(place: Place): Promise<unknown>
  /** Resolves when all are confirmed. */
  publish(place: Place, orders: readonly Order[]): Promise<unknown>
  consume(
    place: Place,
    idempotency: Idempotency<PoolClient>,
    options: OnceOptions & {
      readonly onError: (error: unknown) => void
      readonly parse?: (bytes: Uint8Array) => Promise<Order>
      readonly id?: (order: Order) => string
    },
    handler: OrderHandler,
  ): Promise<ConsumerHandle>
  /** Publishes what a hostile publisher can. */
  publishRaw(place: Place, messages: readonly RawMessage[]): Promise<unknown>
  letters(place: Place): Promise<readonly RawLetter[]>
  /** The number of messages that are not acknowledged. */
  left(place: Place): Promise<number>
  /** The ids of the dead letters, each as often as it is there. */
  deadLetters(place: Place): Promise<readonly string[]>
  /** Ends the connections of this process. */
  close(): Promise<unknown>
}
