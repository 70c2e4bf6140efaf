import type { Idempotency, IdempotencyStore } from '@retryproof/core'
import type { ConsumerHandle, ConsumerOptions, MessageContext, MessageHandler, Verdict } from '@retryproof/messaging'

/** Names features that not every broker has, and that a check needs. */
export type ConsumerNeed =
  /** The store of this run has transactions that handlers may await in. */
  | 'transactions'
  /** A message is delivered again when its consumer is silent for too long. */
  | 'visibility'
  /** A consumer's connection can be cut while it works. */
  | 'cuts'

/** Runs a consumer's binding with a broker. */
export interface ConsumerHarness {
  /** Opens an empty queue of its own (a topic, a stream and its consumer), with a place for its dead letters. */
  open(): Promise<TestQueue>
  /** The store of handled messages: records of any age are welcome. */
  readonly store: IdempotencyStore<unknown>
  /** The time that the broker waits for a silent consumer, in milliseconds, in the queues that `open` makes. */
  readonly visibilityMs?: number
  /** The time that a check waits for a message that must come, in milliseconds. @default 30000 */
  readonly patienceMs?: number
  /** True where messages are handled one after the other, so that a duplicate waits behind the first. @default false */
  readonly isOrdered?: boolean
  /** The features that the broker or its client does not have, with the reason. The checks that need it are skipped for that reason. */
  readonly lacks?: Partial<Record<ConsumerNeed, string>>
}

/** The options that the suite gives every binding, beside those of its own. */
export type SuiteOptions = ConsumerOptions<never, unknown, boolean> & { readonly operation: string }

export interface TestQueue {
  /** Resolves when the broker has it. Nothing of the broker's own may drop it for having been there before. */
  publish(message: PublishedMessage): Promise<void>
  /** The binding's `consume`, on a connection of its own where connections can be cut. */
  consume(
    idempotency: Idempotency<unknown>,
    options: SuiteOptions,
    handler: MessageHandler<unknown, unknown, unknown, boolean>,
  ): Promise<ConsumerHandle>
  /** Closes the channel or the connection of the consumer that was opened last, without asking it. */
  cut?(): Promise<void>
  /** Every dead letter until now, in any order. */
  deadLetters(): Promise<readonly TestLetter[]>
  /** Publishes a dead letter where it came from, with all that it carries. */
  redrive(letter: TestLetter): Promise<void>
  close(): Promise<void>
}

export interface PublishedMessage {
  /** The place at which the binding looks for it by default, unless it has no default. */
  readonly id?: string
  readonly body: string
  /** Are set by the publisher, whatever the broker calls headers. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface TestLetter {
  readonly body: string
  /** Is the header `retryproof-reason`. */
  readonly reason: string | undefined
  /** Is the header `retryproof-round`. */
  readonly round: string | undefined
}

/** One test of a consumer, for any test runner: `run` resolves, or throws an `AssertionError` that says what went wrong. */
export interface ConsumerCheck {
  readonly id: string
  readonly title: string
  readonly needs?: readonly ConsumerNeed[]
  run(bench: ConsumerBench): Promise<void>
}

/** Why a check does not apply; `null` where it does. */
export function consumerRuledOut({ needs = [] }: ConsumerCheck, { lacks = {}, store }: ConsumerHarness): string | null {
  const missing = needs.find((need) => lacks[need] !== undefined)
  if (missing !== undefined) return `does not apply, no ${missing}: ${lacks[missing]}`
  const lacksTransactions = needs.includes('transactions') && store.capabilities.transactional !== 'async'
  return lacksTransactions ? 'does not apply, no transactions: the store has none that may be awaited in' : null
}

/** The content of the suite's messages. */
export interface Order {
  readonly id: string
  readonly amount: number
}

export type OrderContext = MessageContext<unknown, unknown, boolean>

export interface ConsumerBench {
  readonly queue: TestQueue
  readonly harness: ConsumerHarness
  readonly idempotency: Idempotency<unknown>
  /** The calls of handlers, in order. */
  readonly runs: readonly (Order & { readonly attempt: number })[]
  /** The verdicts of deliveries, in order. */
  readonly verdicts: readonly Verdict[]
  publish(...orders: readonly Order[]): Promise<void>
  /** Opens a consumer. */
  start(options?: Partial<SuiteOptions> & StartOptions): Promise<ConsumerHandle>
  /** Sets the work that is done for each message from then on; nothing by default. */
  handle(act: (order: Order, context: OrderContext) => unknown): void
  /** An instance on the store as `change` makes it. */
  instanceOn(change: (store: IdempotencyStore<unknown>) => IdempotencyStore<unknown>): Idempotency<unknown>
  /** Resolves as soon as it holds. */
  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>
  acknowledged(count: number): Promise<void>
  letters(count: number): Promise<readonly TestLetter[]>
  close(): Promise<void>
}

export interface StartOptions {
  readonly on?: Idempotency<unknown>
}
