/** What is used of kafkajs and of `@platformatic/kafka`. */

/** A message, as either client gives it; to that of kafkajs, topic and partition are added. */
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
    autoCommitInterval: number
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
  commitOffsetsIfNecessary(): Promise<void>
  isRunning(): boolean
  isStale(): boolean
}

export interface KafkaJsProducer {
  send(record: {
    topic: string
    acks: number
    messages: { key: Buffer | null; value: Buffer | null; headers: Record<string, Buffer | Buffer[]> }[]
  }): Promise<unknown>
}

/** What `consumer.consume({ topics, autocommit: false, mode: 'committed' })` of `@platformatic/kafka` gives. */
export interface KafkaStream extends AsyncIterable<KafkaMessage & { commit(): Promise<unknown> | unknown }> {
  readonly consumer: { readonly groupId: string; readonly streamsCount: number; leaveGroup(): Promise<unknown> }
  close(): Promise<unknown>
}

export interface KafkaStreamProducer {
  send(options: {
    acks: number
    messages: { topic: string; key?: Buffer; value?: Buffer; headers: Map<Buffer, Buffer> }[]
  }): Promise<unknown>
}

/** What a client does for `consume`. */
export interface KafkaRun {
  readonly closed: Promise<void>
  stop(): Promise<unknown>
}

/** Handles a message; undefined when it is done, else how many milliseconds its partition has to wait for it. */
export type HandleKafka = (message: KafkaMessage, heartbeat?: () => Promise<unknown>) => Promise<number | undefined>
