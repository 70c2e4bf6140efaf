/** The attempt that a handler runs in: its number, fencing token, abort signal, derived keys and steps. */
import type { Release, Unreplayable, WorkResult } from './handler-results.ts'

/** The attempt that a handler runs in. */
export interface Attempt {
  /** The attempt's number, from 1. */
  readonly number: number
  /** The fencing token: hand it to downstream writes, which refuse a lower one. 0 only when failing open. */
  readonly token: number
  /** The lease of an earlier attempt expired, and its outcome is unknown. */
  readonly interrupted: boolean
  /** Aborts when the lease may be lost, or `maxRun` is over: stop before the next effect. */
  readonly signal: AbortSignal
  /**
   * Derives a key for a downstream call that is the same in every attempt of this operation, scope, key and payload.
   * `step` (1 to 64 of `A-Z a-z 0-9 _ . -`) tells several downstream calls apart. Returns 32 lower-case hex characters,
   * or a UUID (36 characters, version 4) with `as: 'uuid'`.
   *
   * @example
   * import { createIdempotency } from '@retryproof/core'
   * import { memoryStore } from '@retryproof/memory'
   *
   * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
   * const { value } = await idempotency.run({ operation: 'pay', scope: 'ann', key: 'k1' }, ({ keyFor }) => ({
   *   charge: keyFor('charge'),
   *   receipt: keyFor('receipt', { as: 'uuid' }),
   * }))
   *
   * @throws {@link IdempotencyInvalidOptionError} when `step` is no name for a step
   */
  keyFor(step: string, options?: { readonly as?: 'hex' | 'uuid' }): string
}

/** A step that is done, and its value. */
export interface CompletedStep {
  readonly name: string
  readonly value: unknown
  /** The reason for which the value is not recorded, where it is not. The step is done all the same. */
  readonly omitted?: 'not-serializable' | 'too-large' | 'not-encodable'
}

/** Recovery points of a write that takes several steps, one after the other. */
export interface Steps<Tx> {
  /** The steps that earlier attempts completed, in order; empty on the first attempt. */
  readonly checkpoint: readonly CompletedStep[]
  /**
   * A step with an effect elsewhere. Its value (JSON) is recorded, and a later attempt gets it without taking the step
   * again. After a crash between effect and record it is taken again: give the effect `keyFor(name)`.
   *
   * Throws what `fn` throws.
   *
   * @throws {@link IdempotencyInvalidStepError} when its value cannot be recorded: the step counts as taken all the same
   * @throws {@link IdempotencyNotReplayableError} when an earlier attempt took the step and its value is not recorded
   * @throws {@link IdempotencyLeaseLostError} when another attempt took over
   * @throws {@link StoreUnavailableError} when the store does not answer
   */
  step<T>(name: string, fn: () => T | Promise<T>): Promise<T>
  /** A step in the store's own database: what `work` writes and the record of the step commit together. */
  transaction<T>(name: string, work: (tx: Tx) => T | Promise<T>): Promise<T>
}

/** Runs the write. Its result is recorded and replayed. */
export type Handler<T, Tx = unknown> = (
  attempt: Attempt & Steps<Tx>,
) => T | Release<T> | Unreplayable<T> | Promise<T | Release<T> | Unreplayable<T>>

/**
 * Writes on an open transaction, which commits together with its key. It may run more than once: each time but the last
 * is rolled back. It must not return a promise if transactions are synchronous (SQLite).
 */
export type Work<T, Tx> = (tx: Tx, attempt: Attempt) => WorkResult<T> | Promise<WorkResult<T>>

/** The attempt that would run, as a resolver sees it, with the steps that earlier attempts completed. */
export type InterruptedAttempt = Attempt & Pick<Steps<unknown>, 'checkpoint'>
