/** What every binding is told. */
import type { Duration, Scope } from '@retryproof/core'
import type { MessageAttempt, MessageTx } from '../once/message.ts'
import type { OnceOptions } from '../once/once-options.ts'
import type { Verdict } from '../once/verdict.ts'

/** `Message` is the broker's own, as its client gives it; `Body` what `parse` makes of what it says. */
export interface ConsumerOptions<Message, Body, InTransaction extends boolean> extends OnceOptions<InTransaction> {
  /** Whose message it is. Part of its key: the same id in two scopes are two messages. */
  readonly scope: Scope | ((body: Body, message: Message) => Scope)
  /** What its publisher calls the message, the same for each copy: an id of the business, say. @default its message id */
  readonly id?: (body: Body, message: Message) => string | undefined
  /** Reads the body. What it throws makes the message a dead letter. @default JSON */
  readonly parse?: (bytes: Uint8Array, message: Message) => Body
  /** What must be equal in all copies of a message: a JSON value, text or bytes. @default the bytes of the body */
  readonly payload?: (body: Body, message: Message) => unknown
  /** How many messages are handled at once in this process. @default 10 */
  readonly concurrency?: number
  /** Told what becomes of each delivery. */
  readonly onVerdict?: (verdict: Verdict, message: Message) => void
  /** Told what fails beside messages: a store or a broker that is away, an acknowledgement that is lost. @default a process warning */
  readonly onError?: (error: unknown) => void
}

/** What a handler is told beside the body. */
export interface MessageContext<Message, Tx, InTransaction extends boolean> {
  readonly attempt: MessageAttempt<Tx, InTransaction>
  /** With `transaction: true`: what is written on it commits together with the record of the message. */
  readonly tx: MessageTx<Tx, InTransaction>
  readonly message: Message
}

/** Handles a message. In a transaction it may run again after a conflict, rolled back before. What it returns is not kept. */
export type MessageHandler<Message, Body, Tx, InTransaction extends boolean> = (
  body: Body,
  context: MessageContext<Message, Tx, InTransaction>,
) => unknown

/** A consumer at work. */
export interface ConsumerHandle {
  /** Resolves when it has stopped; rejects when the broker or its client has ended it. */
  readonly closed: Promise<void>
  /**
   * For shutdown: takes no more messages, and waits at most `timeout` for those at hand. What is unfinished then is
   * neither acknowledged nor given back: the broker delivers it again.
   */
  drain(options?: { readonly timeout?: Duration }): Promise<Drained>
}

export interface Drained {
  /** How many messages were still at hand at the end of the time. */
  readonly unfinished: number
}
