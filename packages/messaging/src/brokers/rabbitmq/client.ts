/** Types of what is used of amqplib. */

/** A message, as amqplib gives it. */
export interface RabbitMessage {
  readonly content: Uint8Array
  readonly fields: { readonly redelivered: boolean; readonly exchange: string; readonly routingKey: string }
  readonly properties: { readonly messageId?: unknown; readonly headers?: Record<string, unknown> | undefined }
}

/** A confirm channel, as `connection.createConfirmChannel()` of amqplib gives it. */
export interface RabbitChannel {
  prefetch(count: number): Promise<unknown>
  consume(queue: string, onMessage: (message: RabbitMessage | null) => void): Promise<{ readonly consumerTag: string }>
  cancel(consumerTag: string): Promise<unknown>
  ack(message: RabbitMessage): void
  nack(message: RabbitMessage, allUpTo: boolean, requeue: boolean): void
  publish(
    exchange: string,
    key: string,
    content: Uint8Array,
    options: object,
    confirmed: (error: unknown) => void,
  ): boolean
  on(event: 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'return', listener: (message: RabbitMessage) => void): unknown
}

/** The address of dead letters. */
export interface RabbitAddress {
  readonly exchange: string
  readonly routingKey: string
}
