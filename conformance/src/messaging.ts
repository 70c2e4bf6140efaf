export {
  type ConsumerBench,
  type ConsumerCheck,
  type ConsumerHarness,
  type ConsumerNeed,
  consumerRuledOut,
  type Order,
  type OrderContext,
  type PublishedMessage,
  type StartOptions,
  type SuiteOptions,
  type TestLetter,
  type TestQueue,
} from './messaging/check.ts'
export { consumerChecks } from './messaging/checks.ts'
export { openBench } from './messaging/consumer-harness.ts'
export { describeConsumer } from './messaging/describe-consumer.ts'
