/** Applications that answer in every way in which a handler can end, guarded and not. */
import type { Idempotency } from '@retryproof/core'

/**
 * Ways in which a handler ends; of several the worst counts. `answered`: its answer is complete. `threw`: it threw, or
 * passed an error on. `destroyed`: it destroyed its answer or the connection. `hijacked`: it answered past the response, on
 * the socket or the stream of that. `silent`: none of these.
 */
export type HandlerEnd = 'answered' | 'threw' | 'destroyed' | 'hijacked' | 'silent'

/**
 * Forms of one route. `bare`: without a guard. `before`: the guard stands before the handler. `given`: the handler is
 * given to the guard. `transaction`: the same, and the handler writes on a transaction first.
 */
export type Form = 'bare' | 'before' | 'given' | 'transaction'

/** The kind of handlers that are made at random for an ending. */
export interface ProgramKind {
  readonly canThrow: boolean
  /** They describe an answer, which the framework writes, and never call the response themselves. */
  readonly isDescribed: boolean
}

export interface Ending<Arguments extends readonly unknown[] = never> {
  readonly name: string
  readonly end: HandlerEnd
  readonly handle: (...parameters: Arguments) => unknown
  /** Forms that the handler takes part in besides `bare`. @default all that the application has */
  readonly guarded?: readonly Form[]
  /** Forms in which the answer is complete, but none that can be replayed: a retry is answered with 410. @default [] */
  readonly unreplayable?: readonly Form[]
  /** Forms in which the key is released although the status of the answer would settle it. @default [] */
  readonly released?: readonly Form[]
  /** Error handlers under which a framework may never end the answer of the handler without a guard. @default [] */
  readonly hangs?: readonly string[]
  /** The request says what the handler does: it stands for many endings. */
  readonly program?: ProgramKind
  /** The path before the index. @default '' */
  readonly path?: string
  /** Headers of the request. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface Application {
  /** Framework, version and server. */
  readonly name: string
  readonly protocol: 'HTTP/1.1' | 'HTTP/2'
  /** Handlers answer with a Response, whose headers have neither case nor order. @default false */
  readonly isFetch?: boolean
  readonly forms: readonly Form[]
  /** Names of the error handlers, each of which guards routes of its own. */
  readonly errorHandlers: readonly string[]
  readonly endings: readonly Ending[]
  /** Serves `POST /<error handler>/<path of the ending><its index>` in one form, on a free port of 127.0.0.1. */
  serve(form: Form, bench: Bench): Promise<number>
}

/** The services that an application needs of the process that it runs in. */
export interface Bench {
  readonly idempotency: Idempotency<unknown>
  /** Counts one run of a handler. */
  ran(): void
  /** Writes on an open transaction, once for each case. */
  write(tx: unknown): Promise<void>
}

/** The state of a key in the store. */
export interface Recorded {
  /** Null: there is no record. */
  readonly state: string | null
  readonly runs: number
  /** True where the transaction of the handler was committed. */
  readonly isWritten: boolean
}
