/** kafkajs as a client of `consume`. */

import { sleep } from '@retryproof/core/internal'
import type { Consumer } from '../consumer.ts'
import type { HandleKafka, KafkaJsBatch, KafkaJsConsumer, KafkaJsProducer, KafkaMessage, KafkaRun } from './client.ts'
import type { HeaderList } from './dead-letter.ts'

/** How long offsets of a long batch wait to be committed; at the end of a batch they are. */
const COMMIT_MS = 1000
const ALL_REPLICAS = -1

export async function runKafkaJs(
  consumer: KafkaJsConsumer,
  at: Consumer<KafkaMessage>,
  handle: HandleKafka,
): Promise<KafkaRun> {
  let end = () => {}
  const closed = new Promise<void>((resolve, reject) => {
    end = resolve
    // one that starts again takes up what was not committed
    consumer.on('consumer.crash', ({ payload: { error, restart } }) => (restart ? at.failed(error) : reject(error)))
  })

  async function eachBatch({ batch, resolveOffset, heartbeat, ...progress }: KafkaJsBatch): Promise<void> {
    const { topic, partition, messages } = batch
    for (const message of messages) {
      if (at.stopping.aborted || !progress.isRunning() || progress.isStale()) return
      // what a heartbeat has to say, the next one says again, where kafkajs listens
      const beat = () => heartbeat().catch(() => undefined)
      const comesBackMs = await handle({ ...message, topic, partition }, beat)
      if (comesBackMs !== undefined) return holdUp({ topic, partition, offset: message.offset }, comesBackMs)
      resolveOffset(message.offset)
      await heartbeat()
      await progress.commitOffsetsIfNecessary()
    }
  }

  /** The partition goes on from this message, after the delay. Whoever is given the partition meanwhile does so at once. */
  function holdUp(position: { topic: string; partition: number; offset: string }, delayMs: number): void {
    if (at.stopping.aborted) return
    const partitions = [{ topic: position.topic, partitions: [position.partition] }]
    consumer.pause(partitions)
    consumer.seek(position)
    void sleep(delayMs, at.stopping).then(() => {
      try {
        if (!at.stopping.aborted) consumer.resume(partitions)
      } catch (error) {
        // it is being started again, and then knows of no pause
        at.failed(error)
      }
    })
  }

  await consumer.run({
    eachBatchAutoResolve: false,
    autoCommitInterval: COMMIT_MS,
    partitionsConsumedConcurrently: at.concurrency,
    eachBatch,
  })
  const stop = async () => {
    await consumer.stop()
    end()
  }
  return { closed, stop }
}

export function sendWithKafkaJs(
  producer: KafkaJsProducer,
  topic: string,
  { key, value }: KafkaMessage,
  headers: HeaderList,
): Promise<unknown> {
  const grouped: Record<string, Buffer[]> = {}
  for (const [name, bytes] of headers) grouped[name] = [...(grouped[name] ?? []), bytes]
  return producer.send({
    topic,
    acks: ALL_REPLICAS,
    messages: [{ key: bytesOf(key), value: bytesOf(value), headers: grouped }],
  })
}

const bytesOf = (bytes: Uint8Array | null | undefined) => (bytes ? Buffer.from(bytes) : null)
