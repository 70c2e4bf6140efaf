/** Shared by the modes of `transaction`: the business write and the settling of its key, on one open transaction. */

import type { Attempt, Work } from '../../api/attempt.ts'
import { type FailAndAnswer, isFailAndAnswer, isRelease, isRollBack, type RollBack } from '../../api/handler-results.ts'
import { within } from '../../base/bounded.ts'
import { type Flow, isPromise, runFlow, settled } from '../../base/maybe-promise.ts'
import { type Encoded, encodeReturned } from '../../encoding/result.ts'
import {
  IdempotencyInvalidOptionError,
  IdempotencyInvalidStepError,
  isIdempotencyError,
  StoreUnavailableError,
  type TransactionConflictError,
} from '../../errors.ts'
import type { BeginReply, BoundStore, TransitionReply } from '../../store/store.ts'
import type { TransactionalStore } from '../../store/transactional-store.ts'
import { completed } from '../call/outcomes.ts'
import type { Instance } from '../context/instance.ts'
import type { PreparedCall } from '../context/prepared-call.ts'

/** The result of a transaction. Only `committed` left anything behind; whether `unknown` did is decided afterwards. */
export type Tried<T> =
  | { readonly kind: 'committed'; readonly encoded: Encoded<T> }
  /** The key cannot be run here: it is settled, held, or belongs to another payload. */
  | { readonly kind: 'begun'; readonly reply: BeginReply }
  | { readonly kind: 'rolledBack'; readonly returned: RollBack<T>['returned'] }
  | { readonly kind: 'refused'; readonly reply: TransitionReply }
  | { readonly kind: 'conflict'; readonly error: TransactionConflictError }
  | { readonly kind: 'unknown'; readonly encoded: Encoded<T>; readonly error: StoreUnavailableError }
  | { readonly kind: 'failed'; readonly error: unknown }

/** Thrown inside of a transaction, so that it is rolled back. */
class Abandoned<T> {
  readonly tried: Extract<Tried<T>, { kind: 'rolledBack' | 'refused' }>

  constructor(tried: Abandoned<T>['tried']) {
    this.tried = tried
  }
}

/** The business write, and the settling of its key with the token that `begun` gave. */
export interface UnitOfWork<Tx, T> {
  readonly instance: Instance
  readonly prepared: PreparedCall
  readonly store: TransactionalStore<Tx>
  readonly work: Work<T, Tx>
}

/** Refuses to continue steps in a transaction, which would repeat their effects. */
export function stepsTaken(): IdempotencyInvalidStepError {
  return new IdempotencyInvalidStepError(
    'An earlier attempt completed steps under this key, of which a transaction knows nothing: finish it with `run`, or ' +
      'with the `handler` of `recover`.',
  )
}

/** Notes about a transaction that is not over. */
export interface Progress<T> {
  /** Set just before the settling is sent. */
  settling: Encoded<T> | undefined
  /** Set when the work failed, and has an answer to give after the rollback. */
  failed: FailAndAnswer<T> | undefined
}

/** Runs `body` in a transaction of the store, and returns its result. Without `openMs` nothing bounds the wait for it to open. */
export async function tryTransaction<Tx, T>(
  { store }: UnitOfWork<Tx, T>,
  body: (tx: Tx, bound: BoundStore, progress: Progress<T>) => Flow<Tried<T>>,
  openMs = Number.POSITIVE_INFINITY,
): Promise<Tried<T>> {
  let progress: Progress<T> = { settling: undefined, failed: undefined }
  try {
    return await openWithin(openMs, store, (tx) => {
      progress = { settling: undefined, failed: undefined }
      return runFlow(body(tx, store.bind(tx), progress))
    })
  } catch (error) {
    if (error instanceof Abandoned) return error.tried
    if (isIdempotencyError(error, 'IDEMPOTENCY_TRANSACTION_CONFLICT')) return { kind: 'conflict', error }
    const { failed } = progress
    // the store found an outage in the failure: its caller is told that, and not what the work makes of it
    const isOutage = isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && error !== failed?.error
    if (failed && !isOutage) return answerFailure(failed)
    // before the settling was sent there was nothing to commit
    const { settling: encoded } = progress
    if (encoded && isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && error.applied === 'unknown') {
      return { kind: 'unknown', encoded, error }
    }
    return { kind: 'failed', error }
  }
}

/** Runs `work` in a transaction that opens within `ms`; the work may take longer. Work whose turn comes later never runs. */
async function openWithin<Tx, T>(
  ms: number,
  store: UnitOfWork<Tx, unknown>['store'],
  work: (tx: Tx) => T | Promise<T>,
): Promise<T> {
  if (ms === Number.POSITIVE_INFINITY) return store.transaction(work)
  const tooLate = new StoreUnavailableError(`No transaction opened within ${ms} ms.`, { applied: 'no' })
  let isLate = false
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const ended = store.transaction((tx) => {
    if (isLate) throw tooLate
    open()
    return work(tx)
  })
  const late = () => {
    isLate = true
    // the transaction that is given up ends with the same error, and nobody waits for it
    ended.catch(() => undefined)
    return tooLate
  }
  await within(ms, Promise.race([opened, ended]), late)
  return ended
}

/** Gives the answer that the work has for its failure, after the rollback. */
async function answerFailure<T>({ answer }: FailAndAnswer<T>): Promise<Tried<T>> {
  try {
    return { kind: 'rolledBack', returned: await answer() }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

/** Does the caller's work inside of a transaction, then settles. Rolls back unless the settling is applied. */
export function* workAndSettle<Tx, T>(
  { prepared, store, work }: UnitOfWork<Tx, T>,
  tx: Tx,
  bound: BoundStore,
  attempt: Attempt,
  progress: Progress<T>,
  onSettling?: () => void,
): Flow<Tried<T>> {
  const returned = yield* settled(work(tx, attempt))
  if (isFailAndAnswer(returned)) {
    progress.failed = returned
    throw returned.error
  }
  if (isRollBack(returned)) throw new Abandoned<T>({ kind: 'rolledBack', returned: returned.returned })
  if (isRelease(returned)) throw new Abandoned<T>({ kind: 'rolledBack', returned })
  const ready = encodeReturned<T>(prepared, returned)
  if (store.capabilities.transactional === 'sync' && isPromise(ready)) {
    throw new IdempotencyInvalidOptionError(
      'codecs',
      'must answer at once where the transactions of the store are synchronous',
    )
  }
  const encoded = yield* settled(ready)
  progress.settling = encoded
  onSettling?.()
  const reply = yield* settled(bound.transition(prepared.key, attempt.token, completed(prepared, encoded)))
  if (reply.outcome === 'ok' && reply.applied) return { kind: 'committed', encoded }
  throw new Abandoned<T>({ kind: 'refused', reply })
}
