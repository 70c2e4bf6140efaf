/** kafkajs as a client of `consume`. */
import { isIdempotencyError } from '@retryproof/core'
import { sleep } from '@retryproof/core/internal'
import type { Consumer } from '../../consumer/consumer.ts'
import type {
  HandleKafka,
  KafkaJsBatch,
  KafkaJsConsumer,
  KafkaJsProducer,
  KafkaLetter,
  KafkaMessage,
  KafkaRun,
} from './client.ts'

/** Bounds the time until offsets of a long batch are committed. At the end of a batch they are committed too. */
const COMMIT_MS = 1000
const ALL_REPLICAS = -1

export async function runKafkaJs(
  consumer: KafkaJsConsumer,
  at: Consumer<KafkaMessage>,
  handle: HandleKafka,
): Promise<KafkaRun> {
  let end = () => {}
  let fail: (error: unknown) => void = () => {}
  const closed = new Promise<void>((resolve, reject) => {
    end = resolve
    // a consumer that starts again takes up what was not committed
    fail = reject
    consumer.on('consumer.crash', ({ payload: { error, restart } }) => (restart ? at.failed(error) : reject(error)))
  })

  async function eachBatch({ batch, resolveOffset, heartbeat, ...progress }: KafkaJsBatch): Promise<void> {
    const { topic, partition, messages } = batch
    let done: string | undefined
    let committedAt = performance.now()

    /** Names its offsets: kafkajs ends a consumer that commits by itself after it has lost the partition. */
    async function commit(): Promise<void> {
      if (done === undefined) return
      const offset = String(BigInt(done) + 1n)
      await progress.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] })
      done = undefined
      committedAt = performance.now()
    }

    /** Gives the time after which this message has to be tried again, and undefined when the batch is done. */
    async function handleBatch(): Promise<{ readonly offset: string; readonly delayMs: number } | undefined> {
      for (const message of messages) {
        if (at.stopping.aborted || !progress.isRunning() || progress.isStale()) return undefined
        // kafkajs sees the error at the next heartbeat, and handles it there
        const beat = () => heartbeat().catch(() => undefined)
        const delayMs = await handle({ ...message, topic, partition }, beat)
        if (delayMs !== undefined) return { offset: message.offset, delayMs }
        resolveOffset(message.offset)
        done = message.offset
        // throws when the partitions are dealt out anew
        await heartbeat()
        if (performance.now() - committedAt > COMMIT_MS) await commit()
      }
      return undefined
    }

    try {
      const comesBack = await handleBatch()
      await commit()
      if (comesBack) holdUp({ topic, partition, offset: comesBack.offset }, comesBack.delayMs)
    } catch (error) {
      // the next owner of the partition must not read again what is done
      await commit().catch(() => undefined)
      if (!isIdempotencyError(error)) throw error
      // kafkajs would start again and read the same message
      fail(error)
      void consumer.stop()
    }
  }

  /** Pauses the partition and seeks back to this message. After a rebalance the new owner retries at once. */
  function holdUp(position: { topic: string; partition: number; offset: string }, delayMs: number): void {
    if (at.stopping.aborted) return
    const partitions = [{ topic: position.topic, partitions: [position.partition] }]
    consumer.pause(partitions)
    consumer.seek(position)
    void sleep(delayMs, at.stopping).then(() => {
      try {
        if (!at.stopping.aborted) consumer.resume(partitions)
      } catch (error) {
        // a consumer that is started again knows of no pause
        at.failed(error)
      }
    })
  }

  await consumer.run({
    eachBatchAutoResolve: false,
    autoCommit: false,
    partitionsConsumedConcurrently: at.concurrency,
    eachBatch,
  })
  const stop = async () => {
    await consumer.stop()
    end()
  }
  return { closed, stop }
}

const NO_COMPRESSION = 0
const GZIP = 1

export function sendWithKafkaJs(
  producer: KafkaJsProducer,
  { topic, key, value, headers, isLarge }: KafkaLetter,
): Promise<unknown> {
  // a name may be that of a member of every object
  const grouped: Record<string, Buffer[]> = Object.create(null)
  for (const [name, bytes] of headers) {
    grouped[name] ??= []
    grouped[name].push(bytes)
  }
  return producer.send({
    topic,
    acks: ALL_REPLICAS,
    compression: isLarge ? GZIP : NO_COMPRESSION,
    messages: [{ key, value, headers: grouped }],
  })
}
