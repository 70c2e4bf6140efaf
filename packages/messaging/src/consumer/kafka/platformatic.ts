/** `@platformatic/kafka` as a client of `consume`: a message that has to come back is kept, and its partition with it. */

import { sleep } from '@retryproof/core/internal'
import type { Consumer } from '../consumer.ts'
import type { HandleKafka, KafkaMessage, KafkaRun, KafkaStream, KafkaStreamProducer } from './client.ts'
import type { HeaderList } from './dead-letter.ts'

const ALL_REPLICAS = -1

export function runStream(stream: KafkaStream, at: Consumer<KafkaMessage>, handle: HandleKafka): KafkaRun {
  const atHand = new Set<Promise<void>>()
  // of each partition, the message that was read last: the next one comes after it
  const lines = new Map<string, Promise<void>>()

  /** Once it stops, nothing behind this message is committed either: its partition is handed on from here. */
  async function handleAndCommit(message: KafkaMessage & { commit(): unknown }): Promise<void> {
    for (;;) {
      if (at.stopping.aborted) return
      const comesBackMs = await handle(message)
      if (comesBackMs === undefined) break
      await sleep(comesBackMs, at.stopping)
    }
    try {
      await message.commit()
    } catch (error) {
      // it comes again, and is then found to be a duplicate
      at.failed(error)
    }
  }

  async function read(): Promise<void> {
    for await (const message of stream) {
      const name = `${message.topic} ${message.partition}`
      const line = (lines.get(name) ?? Promise.resolve()).then(() => handleAndCommit(message))
      lines.set(name, line)
      const done = line.finally(() => atHand.delete(done))
      atHand.add(done)
      if (atHand.size >= at.concurrency) await Promise.race(atHand)
    }
    await Promise.all(atHand)
  }

  return {
    closed: read(),
    async stop() {
      await Promise.all(atHand)
      await stream.close()
      // the partitions of a member that only stops reading are not handed on
      if (stream.consumer.streamsCount === 0) await stream.consumer.leaveGroup()
    },
  }
}

export function sendWithStream(
  producer: KafkaStreamProducer,
  topic: string,
  { key, value }: KafkaMessage,
  headers: HeaderList,
): Promise<unknown> {
  return producer.send({
    acks: ALL_REPLICAS,
    messages: [
      {
        topic,
        ...(key && { key: Buffer.from(key) }),
        ...(value && { value: Buffer.from(value) }),
        headers: new Map(headers.map(([name, bytes]) => [Buffer.from(name), bytes])),
      },
    ],
  })
}
