export { type ConsumerBench, type Order, type OrderContext, openBench, type StartOptions } from './messaging/bench.ts'
export {
  type ConsumerCheck,
  type ConsumerHarness,
  type ConsumerNeed,
  consumerRuledOut,
  type PublishedMessage,
  type SuiteOptions,
  type TestLetter,
  type TestQueue,
} from './messaging/check.ts'
export { consumerChecks } from './messaging/checks.ts'
export { describeConsumer } from './messaging/describe-consumer.ts'
