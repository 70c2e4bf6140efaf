/** What the modes of `transaction` share: the business write and the settling of its key, on one open transaction. */

import type { Attempt, Work } from '../../api/attempt.ts'
import { type FailAndAnswer, isFailAndAnswer, isRelease, isRollBack, type RollBack } from '../../api/handler-results.ts'
import { chain, isPromise, type MaybePromise } from '../../base/maybe-promise.ts'
import { type Encoded, encodeReturned } from '../../encoding/result.ts'
import {
  IdempotencyInvalidOptionError,
  IdempotencyInvalidStepError,
  isIdempotencyError,
  type StoreUnavailableError,
  type TransactionConflictError,
} from '../../errors.ts'
import type { BeginReply, BoundStore, TransitionReply } from '../../store/store.ts'
import type { TransactionalStore } from '../../store/transactional-store.ts'
import type { Instance } from '../context/instance.ts'
import type { PreparedCall } from '../context/prepared-call.ts'

/** What a transaction came to. Only `committed` left anything behind; of `unknown` nobody can say so yet. */
export type Tried<T> =
  | { readonly kind: 'committed'; readonly encoded: Encoded<T> }
  /** The key is not ours to run: it is settled, held, or belongs to another payload. */
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

/** What is done in steps goes on in steps: a transaction would do again what they have done. */
export function stepsTaken(): IdempotencyInvalidStepError {
  return new IdempotencyInvalidStepError(
    'An earlier attempt completed steps under this key, of which a transaction knows nothing: finish it with `run`, or ' +
      'with the `handler` of `recover`.',
  )
}

/** What a transaction tells before it ends. */
export interface Progress<T> {
  /** The settling is about to be sent. */
  settling(encoded: Encoded<T>): void
  /** The work failed, and has an answer to give after the rollback. */
  failed(failure: FailAndAnswer<T>): void
}

/** Runs `body` in a transaction of the store, and says what came of it. */
export async function tryTransaction<Tx, T>(
  { store }: UnitOfWork<Tx, T>,
  body: (tx: Tx, bound: BoundStore, progress: Progress<T>) => MaybePromise<Tried<T>>,
): Promise<Tried<T>> {
  let settling: Encoded<T> | undefined
  let failed: FailAndAnswer<T> | undefined
  const progress: Progress<T> = {
    settling: (encoded) => {
      settling = encoded
    },
    failed: (failure) => {
      failed = failure
    },
  }
  try {
    return await store.transaction((tx) => {
      settling = undefined
      failed = undefined
      return body(tx, store.bind(tx), progress)
    })
  } catch (error) {
    if (error instanceof Abandoned) return error.tried
    if (isIdempotencyError(error, 'IDEMPOTENCY_TRANSACTION_CONFLICT')) return { kind: 'conflict', error }
    if (failed) return answerFailure(failed)
    // before the settling was sent there was nothing to commit
    if (settling && isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE') && error.applied === 'unknown') {
      return { kind: 'unknown', encoded: settling, error }
    }
    return { kind: 'failed', error }
  }
}

/** The transaction is rolled back: gives the answer that the work has for its failure. */
async function answerFailure<T>({ answer }: FailAndAnswer<T>): Promise<Tried<T>> {
  try {
    return { kind: 'rolledBack', returned: await answer() }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

/** Inside of a transaction: the caller's work, then the settling. Whatever is not applied is rolled back. */
export function workAndSettle<Tx, T>(
  unit: UnitOfWork<Tx, T>,
  tx: Tx,
  bound: BoundStore,
  attempt: Attempt & { readonly token: number },
  progress: Progress<T>,
): MaybePromise<Tried<T>> {
  const { instance, prepared, store, work } = unit
  return chain(work(tx, attempt), (returned) => {
    if (isFailAndAnswer(returned)) {
      progress.failed(returned)
      throw returned.error
    }
    if (isRollBack(returned)) throw new Abandoned<T>({ kind: 'rolledBack', returned: returned.returned })
    if (isRelease(returned)) throw new Abandoned<T>({ kind: 'rolledBack', returned })
    const ready = encodeReturned<T>(instance, prepared, returned)
    if (store.capabilities.transactional === 'sync' && isPromise(ready)) {
      throw new IdempotencyInvalidOptionError(
        'codecs',
        'must answer at once where the transactions of the store are synchronous',
      )
    }
    return chain(ready, (encoded) => {
      progress.settling(encoded)
      const { retentionMs } = prepared.policies
      const change = { to: 'completed', result: encoded.result, retentionMs } as const
      return chain(bound.transition(prepared.key, attempt.token, change), (reply): Tried<T> => {
        if (reply.outcome === 'ok' && reply.applied) return { kind: 'committed', encoded }
        throw new Abandoned<T>({ kind: 'refused', reply })
      })
    })
  })
}
