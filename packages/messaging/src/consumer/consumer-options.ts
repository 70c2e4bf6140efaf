/** Options that all consumers share. */
import type { Duration, Scope } from '@retryproof/core'
import type { MessageAttempt, MessageTx } from '../once/message.ts'
import type { OnceOptions } from '../once/once-options.ts'
import type { Verdict } from '../once/verdict.ts'

/** `Message` is the broker's own, as its client gives it; `Body` is what `parse` makes of its bytes. */
export interface ConsumerOptions<Message, Body, InTransaction extends boolean> extends OnceOptions<InTransaction> {
  /** Says whose message it is. Part of its key: the same id in two scopes is two messages. */
  readonly scope: Scope | ((body: Body, message: Message) => Scope | Promise<Scope>)
  /** Reads the publisher's name for the message, the same for each copy: an id of the business, for instance. @default its message id */
  readonly id?: (body: Body, message: Message) => string | undefined | Promise<string | undefined>
  /**
   * Reads the body, and may be async. A throw makes the message a dead letter, but for `throw notStarted(error)`, which
   * says that the reason will pass (a schema registry is away): the message comes again after a growing delay.
   * @default JSON
   */
  readonly parse?: (bytes: Uint8Array, message: Message) => Body | Promise<Body>
  /** Selects what must be equal in all copies of a message: a JSON value, text or bytes. @default the bytes of the body */
  readonly payload?: (body: Body, message: Message) => unknown
  /** Limits the messages that this process handles at once. @default 10 */
  readonly concurrency?: number
  /** Receives the verdict on each delivery. */
  readonly onVerdict?: (verdict: Verdict, message: Message) => void
  /**
   * Receives errors beside messages: a store or broker that is away, a lost acknowledgement, a handler that
   * outlasts `maxRun`, a dead letter that had to be cut. @default a process warning
   */
  readonly onError?: (error: unknown) => void
}

/** Comes to a handler beside the body. */
export interface MessageContext<Message, Tx, InTransaction extends boolean> {
  readonly attempt: MessageAttempt<Tx, InTransaction>
  /** Commits together with the record of the message, with `transaction: true`. */
  readonly tx: MessageTx<Tx, InTransaction>
  readonly message: Message
}

/** Handles a message. In a transaction it may run again after a conflict, rolled back before. Its value is not kept. */
export type MessageHandler<Message, Body, Tx, InTransaction extends boolean> = (
  body: Body,
  context: MessageContext<Message, Tx, InTransaction>,
) => unknown

/** A consumer at work. */
export interface ConsumerHandle {
  /** Resolves when it has stopped. Rejects when the broker or its client has ended it. */
  readonly closed: Promise<void>
  /**
   * Takes no more messages, and waits at most `timeout` for those at hand. An unfinished message is neither acknowledged
   * nor given back: the broker delivers it again.
   */
  drain(options?: { readonly timeout?: Duration }): Promise<Drained>
}

export interface Drained {
  /** Counts the messages that were still at hand at the end of the time. */
  readonly unfinished: number
}
