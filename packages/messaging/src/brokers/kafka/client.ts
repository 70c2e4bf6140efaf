/** Types of what is used of kafkajs and of `@platformatic/kafka`. */

/** A message, as either client gives it; topic and partition are added to that of kafkajs. */
export interface KafkaMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: string | bigint
  readonly key?: Uint8Array | null | undefined
  readonly value?: Uint8Array | null | undefined
  readonly headers?: KafkaHeaders | undefined
}

type HeaderValue = Uint8Array | string | readonly (Uint8Array | string)[] | undefined

export type KafkaHeaders = { readonly [name: string]: HeaderValue } | ReadonlyMap<Uint8Array | string, HeaderValue>

/** A consumer of kafkajs, connected and subscribed, that does not run yet. */
export interface KafkaJsConsumer {
  describeGroup(): Promise<{ readonly groupId: string }>
  run(config: {
    eachBatchAutoResolve: boolean
    autoCommit: boolean
    partitionsConsumedConcurrently: number
    eachBatch: (payload: KafkaJsBatch) => Promise<void>
  }): Promise<void>
  pause(partitions: KafkaJsPartition[]): void
  resume(partitions: KafkaJsPartition[]): void
  seek(position: { topic: string; partition: number; offset: string }): void
  stop(): Promise<void>
  on(
    event: 'consumer.crash',
    listener: (event: { readonly payload: { readonly error: Error; readonly restart: boolean } }) => void,
  ): unknown
}

interface KafkaJsPartition {
  topic: string
  partitions: number[]
}

export interface KafkaJsBatch {
  readonly batch: {
    readonly topic: string
    readonly partition: number
    readonly messages: readonly Omit<KafkaMessage & { readonly offset: string }, 'topic' | 'partition'>[]
  }
  resolveOffset(offset: string): void
  heartbeat(): Promise<void>
  commitOffsetsIfNecessary(offsets: {
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
  }): Promise<void>
  isRunning(): boolean
  isStale(): boolean
}

export interface KafkaJsProducer {
  send(record: {
    topic: string
    acks: number
    compression?: 0 | 1
    messages: { key: Buffer | null; value: Buffer | null; headers: Record<string, Buffer | Buffer[]> }[]
  }): Promise<unknown>
}

/** The stream of `consumer.consume({ topics, autocommit: false, mode: 'committed' })` of `@platformatic/kafka`. */
export interface KafkaStream extends AsyncIterable<KafkaMessage & { commit(): Promise<unknown> | unknown }> {
  readonly consumer: { readonly groupId: string; readonly streamsCount: number; leaveGroup(): Promise<unknown> }
  close(): Promise<unknown>
}

export interface KafkaStreamProducer {
  send(options: {
    acks: number
    compression?: 'gzip'
    messages: { topic: string; key?: Buffer; value?: Buffer; headers: Map<Buffer, Buffer> }[]
  }): Promise<unknown>
}

/** A client at work for `consume`. */
export interface KafkaRun {
  readonly closed: Promise<void>
  stop(): Promise<unknown>
}

/** Handles a message. Resolves with undefined when it is done, else with how many milliseconds its partition waits for it. */
export type HandleKafka = (message: KafkaMessage, heartbeat?: () => Promise<unknown>) => Promise<number | undefined>

/** A dead letter, in whichever client's hands. */
export interface KafkaLetter {
  readonly topic: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer])[]
  /** Says that the broker may have stored the message compressed, and takes it in no other way. */
  readonly isLarge: boolean
}
