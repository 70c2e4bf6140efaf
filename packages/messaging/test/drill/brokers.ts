/** Each broker of the drill, loaded only by who uses it, so that a process that is started again is soon there. */
import type { DrillBroker } from './place.ts'

const all: Record<string, () => Promise<DrillBroker>> = {
  bullmq: async () => (await import('./bullmq-broker.ts')).bullmqBroker(),
  kafka: async () => (await import('./kafka-broker.ts')).kafkaBroker(),
  nats: async () => (await import('./nats-broker.ts')).natsBroker(),
  rabbitmq: async () => (await import('./rabbitmq-broker.ts')).rabbitmqBroker(),
  sqs: async () => (await import('./sqs-broker.ts')).sqsBroker(),
}

export const brokerNames = Object.keys(all)

export function openBroker(name: string): Promise<DrillBroker> {
  const open = all[name]
  if (!open) throw new TypeError(`There is no drill for '${name}'.`)
  return open()
}
