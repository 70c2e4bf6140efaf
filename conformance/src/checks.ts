import type { Check } from './check.ts'
import { harnessChecks } from './checks/harness.ts'
import { historyChecks } from './checks/histories.ts'
import { raceChecks } from './checks/races.ts'
import { sequenceChecks } from './checks/sequences.ts'

/** Every check of the suite, in the order in which failures are the easiest to understand. */
export const checks: readonly Check[] = [...harnessChecks, ...sequenceChecks, ...raceChecks, ...historyChecks]
