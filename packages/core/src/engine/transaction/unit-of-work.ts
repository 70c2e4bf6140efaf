/** What the modes of `transaction` share: the business write and the settling of its key, on one open transaction. */

import type { Attempt, Work } from '../../api/attempt.ts'
import { HandBack, RollBack } from '../../api/handler-results.ts'
import { chain, isPromise, type MaybePromise } from '../../base/maybe-promise.ts'
import { type Encoded, encodeReturned } from '../../encoding/result.ts'
import { InvalidOptionError, InvalidStepError, StoreUnavailableError, TransactionConflictError } from '../../errors.ts'
import type { BeginReply, BoundStore, TransitionReply } from '../../store/store.ts'
import type { TransactionalStore } from '../../store/transactional-store.ts'
import type { Engine } from '../context/instance.ts'
import type { Task } from '../context/prepared-call.ts'

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
export interface Unit<Tx, T> {
  readonly engine: Engine
  readonly task: Task
  readonly store: TransactionalStore<Tx>
  readonly work: Work<T, Tx>
}

/** What is done in steps goes on in steps: a transaction would do again what they have done. */
export function stepsTaken(): InvalidStepError {
  return new InvalidStepError(
    'An earlier attempt completed steps under this key, of which a transaction knows nothing: finish it with `run`, or ' +
      'with the `handler` of `recover`.',
  )
}

/** Runs `body` in a transaction of the store, and says what came of it. `settling` is told just before the settling is sent. */
export async function tryTransaction<Tx, T>(
  { store }: Unit<Tx, T>,
  body: (tx: Tx, bound: BoundStore, settling: (encoded: Encoded<T>) => void) => MaybePromise<Tried<T>>,
): Promise<Tried<T>> {
  let settling: Encoded<T> | undefined
  try {
    return await store.transaction((tx) => {
      settling = undefined
      return body(tx, store.bind(tx), (encoded) => {
        settling = encoded
      })
    })
  } catch (error) {
    if (error instanceof Abandoned) return error.tried
    if (error instanceof TransactionConflictError) return { kind: 'conflict', error }
    // before the settling was sent there was nothing to commit
    if (settling && error instanceof StoreUnavailableError && error.applied === 'unknown') {
      return { kind: 'unknown', encoded: settling, error }
    }
    return { kind: 'failed', error }
  }
}

/** Inside of a transaction: the caller's work, then the settling. Whatever is not applied is rolled back. */
export function workAndSettle<Tx, T>(
  unit: Unit<Tx, T>,
  tx: Tx,
  bound: BoundStore,
  attempt: Attempt & { readonly token: number },
  settling: (encoded: Encoded<T>) => void,
): MaybePromise<Tried<T>> {
  const { engine, task, store, work } = unit
  return chain(work(tx, attempt), (returned) => {
    if (returned instanceof RollBack) throw new Abandoned<T>({ kind: 'rolledBack', returned: returned.returned })
    if (returned instanceof HandBack) throw new Abandoned<T>({ kind: 'rolledBack', returned })
    const ready = encodeReturned<T>(engine, task, returned)
    if (store.capabilities.transactional === 'sync' && isPromise(ready)) {
      throw new InvalidOptionError('codecs', 'must answer at once where the transactions of the store are synchronous')
    }
    return chain(ready, (encoded) => {
      settling(encoded)
      const { retentionMs } = task.policies
      const change = { to: 'completed', result: encoded.result, retentionMs } as const
      return chain(bound.transition(task.key, attempt.token, change), (reply): Tried<T> => {
        if (reply.outcome === 'ok' && reply.applied) return { kind: 'committed', encoded }
        throw new Abandoned<T>({ kind: 'refused', reply })
      })
    })
  })
}
