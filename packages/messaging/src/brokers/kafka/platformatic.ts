/** `@platformatic/kafka` as a client of `consume`: it keeps a message that has to come back, and its partition with it. */
import { sleep } from '@retryproof/core/internal'
import type { Consumer } from '../../consumer/consumer.ts'
import type { HandleKafka, KafkaLetter, KafkaMessage, KafkaRun, KafkaStream, KafkaStreamProducer } from './client.ts'

const ALL_REPLICAS = -1

export function runStream(stream: KafkaStream, at: Consumer<KafkaMessage>, handle: HandleKafka): KafkaRun {
  const atHand = new Set<Promise<void>>()
  // the message that was read last of each partition: the next one comes after it
  const lines = new Map<string, Promise<void>>()

  /** Commits nothing behind a message that is not done when the consumer stops: its partition is handed on from here. */
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

  let fail: (error: unknown) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = (error) => {
      reject(error)
      // nothing more is read
      void Promise.resolve(stream.close()).catch(at.failed)
    }
  })

  async function read(): Promise<void> {
    for await (const message of stream) {
      const name = `${message.topic} ${message.partition}`
      const line = (lines.get(name) ?? Promise.resolve()).then(() => handleAndCommit(message)).catch(fail)
      lines.set(name, line)
      const done = line.finally(() => atHand.delete(done))
      atHand.add(done)
      if (atHand.size >= at.concurrency) await Promise.race(atHand)
    }
    await Promise.all(atHand)
  }

  return {
    closed: Promise.race([read(), failed]),
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
  { topic, key, value, headers, isLarge }: KafkaLetter,
): Promise<unknown> {
  return producer.send({
    acks: ALL_REPLICAS,
    ...(isLarge && { compression: 'gzip' }),
    messages: [
      {
        topic,
        ...(key && { key }),
        ...(value && { value }),
        headers: new Map(headers.map(([name, bytes]) => [Buffer.from(name), bytes])),
      },
    ],
  })
}
