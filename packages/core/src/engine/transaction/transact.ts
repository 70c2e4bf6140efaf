/** A transaction of the mode that was asked for. */

import type { Outcome } from '../../api/call.ts'
import type { TransactionPolicies } from '../../api/policies.ts'
import { IdempotencyInvalidOptionError } from '../../errors.ts'
import { run } from '../call/run.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { runInCallerTransaction } from './caller-transaction.ts'
import { executeFenced } from './fenced.ts'
import { runSingle } from './single.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** @throws IdempotencyInvalidOptionError for another mode than `'fenced'` and `'single'`, or `'fenced'` in a transaction of the caller */
export function transact<Tx, T>(
  unit: UnitOfWork<Tx, T>,
  {
    mode,
    tx,
  }: { [Name in keyof Pick<TransactionPolicies<Tx>, 'mode' | 'tx'>]: TransactionPolicies<Tx>[Name] | undefined },
  call: ServedCall,
  isDraining: () => boolean,
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
      return run<T>(instance, prepared, (acquired) => executeFenced(unit, acquired, call), isDraining)
    case 'single':
      return runSingle(unit, call, isDraining)
    default:
      throw new IdempotencyInvalidOptionError('mode', `must be 'fenced' or 'single', got '${mode}'`)
  }
}
