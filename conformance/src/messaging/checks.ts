import type { ConsumerCheck } from './check.ts'
import { badInputChecks } from './checks/bad-input.ts'
import { failureChecks } from './checks/failures.ts'
import { handlingChecks } from './checks/handling.ts'
import { hostileChecks } from './checks/hostile.ts'
import { interruptionChecks } from './checks/interruptions.ts'

/** Every check of a consumer, in the order in which failures are the easiest to understand. */
export const consumerChecks: readonly ConsumerCheck[] = [
  ...handlingChecks,
  ...failureChecks,
  ...badInputChecks,
  ...hostileChecks,
  ...interruptionChecks,
]
