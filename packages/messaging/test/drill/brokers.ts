/** Each broker of the drill, loaded only by who uses it, so that a process that is started again is soon there. */
import { bullmqBroker } from './bullmq-broker.ts'
import { kafkaBroker } from './kafka-broker.ts'
import { natsBroker } from './nats-broker.ts'
import type { DrillBroker } from './place.ts'
import { rabbitmqBroker } from './rabbitmq-broker.ts'
import { sqsBroker } from './sqs-broker.ts'

const all: Record<string, () => DrillBroker> = {
  bullmq: bullmqBroker,
  kafka: kafkaBroker,
  nats: natsBroker,
  rabbitmq: rabbitmqBroker,
  sqs: sqsBroker,
}

export function brokers(name: string): DrillBroker {
  const open = all[name]
  if (!open) throw new TypeError(`There is no drill for '${name}'.`)
  return open()
}
