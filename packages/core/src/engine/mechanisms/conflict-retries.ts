/** Retries of a transaction that conflicts with others: a bounded number, with growing pauses. */
import { backOff, sleep } from '../../base/timers.ts'

const MAX_CONFLICTS = 20
const PAUSES = { firstMs: 8, maxMs: 500 }

export interface ConflictPauses {
  /** True when the last conflict was one too many. */
  areOver(): boolean
  /** Waits before the next try. */
  pause(): Promise<void>
}

export function createConflictPauses(): ConflictPauses {
  let conflicts = 0
  return {
    areOver: () => conflicts >= MAX_CONFLICTS,
    pause: () => sleep(backOff(conflicts++, PAUSES)),
  }
}
