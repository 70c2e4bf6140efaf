/** Chooses the mode of a transaction. */

import type { Outcome } from '../../api/call.ts'
import type { TransactionPolicies } from '../../api/policies.ts'
import { IdempotencyInvalidOptionError } from '../../errors.ts'
import { type Refusal, run } from '../call/run.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { runInCallerTransaction } from './caller-transaction.ts'
import { executeFenced } from './fenced.ts'
import { runSingle } from './single.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** @throws {@link IdempotencyInvalidOptionError} when the mode is unknown, or `'fenced'` in a transaction of the caller */
export function transact<Tx, T>(
  unit: UnitOfWork<Tx, T>,
  {
    mode,
    tx,
  }: { [Name in keyof Pick<TransactionPolicies<Tx>, 'mode' | 'tx'>]: TransactionPolicies<Tx>[Name] | undefined },
  call: ServedCall,
  refusal: Refusal,
): Promise<Outcome<T>> {
  const { instance, prepared } = unit
  if (tx !== undefined) {
    if (mode === 'fenced')
      throw new IdempotencyInvalidOptionError('mode', "must be 'single' in a transaction that you opened")
    return runInCallerTransaction(unit, tx, call)
  }
  switch (mode) {
    case 'fenced':
    case undefined:
      return run<T>(instance, prepared, (acquired) => executeFenced(unit, acquired, call), refusal)
    case 'single':
      return runSingle(unit, call, refusal)
    default:
      throw new IdempotencyInvalidOptionError('mode', `must be 'fenced' or 'single', got '${mode}'`)
  }
}
