/** Types of what is used of `@nats-io/jetstream`. */
import type { headers } from '@nats-io/nats-core'

/** A message, as `@nats-io/jetstream` gives it. */
export interface NatsMessage {
  readonly subject: string
  readonly seq: number
  readonly data: Uint8Array
  readonly headers?: NatsHeaders | undefined
  readonly info: { readonly stream: string; readonly deliveryCount: number; readonly timestampNanos: number }
  ackAck(): Promise<boolean>
  nak(delayMs?: number): void
  working(): void
}

export interface NatsHeaders {
  keys(): string[]
  values(name: string): string[]
  get(name: string): string
}

/** A pull consumer, as `jetstream.consumers.get(stream, name)` gives it. */
export interface NatsConsumer {
  info(): Promise<{ readonly name: string; readonly stream_name: string; readonly config: NatsConsumerConfig }>
  next(options: { expires: number }): Promise<NatsMessage | null>
}

export interface NatsConsumerConfig {
  readonly durable_name?: string
  readonly ack_policy?: string
  readonly ack_wait?: number
  readonly max_deliver?: number
  readonly backoff?: readonly number[]
  readonly filter_subject?: string
  readonly filter_subjects?: readonly string[]
}

/** The client: `jetstream(connection)`. */
export interface NatsJetStream {
  publish(subject: string, data: Uint8Array, options: NatsPublishOptions): Promise<unknown>
  jetstreamManager(): Promise<{
    streams: { info(stream: string): Promise<{ readonly config: { readonly subjects?: readonly string[] } }> }
  }>
}

export interface NatsPublishOptions {
  readonly msgID: string
  readonly headers: ReturnType<typeof headers>
}
