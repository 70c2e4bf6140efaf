/** A transaction of the mode that was asked for. */

import type { Outcome } from '../../api/call.ts'
import type { TransactionPolicies } from '../../api/policies.ts'
import { InvalidOptionError } from '../../errors.ts'
import { run } from '../call/run.ts'
import type { ServedCall } from '../mechanisms/running-calls.ts'
import { runJoined } from './caller-transaction.ts'
import { executeFenced } from './fenced.ts'
import { runSingle } from './single.ts'
import type { Unit } from './unit-of-work.ts'

/** @throws InvalidOptionError for another mode than `'fenced'` and `'single'`, or `'fenced'` in a transaction of the caller */
export function transact<Tx, T>(
  unit: Unit<Tx, T>,
  {
    mode,
    tx,
  }: { [Name in keyof Pick<TransactionPolicies<Tx>, 'mode' | 'tx'>]: TransactionPolicies<Tx>[Name] | undefined },
  call: ServedCall,
  isDraining: () => boolean,
): Promise<Outcome<T>> {
  const { engine, task } = unit
  if (tx !== undefined) {
    if (mode === 'fenced') throw new InvalidOptionError('mode', "must be 'single' in a transaction that you opened")
    return runJoined(unit, tx, call)
  }
  switch (mode) {
    case 'fenced':
    case undefined:
      return run<T>(engine, task, (acquired) => executeFenced(unit, acquired, call), isDraining)
    case 'single':
      return runSingle(unit, call, isDraining)
    default:
      throw new InvalidOptionError('mode', `must be 'fenced' or 'single', got '${mode}'`)
  }
}
