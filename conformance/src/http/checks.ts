import type { BindingCheck } from './check.ts'
import { disconnectChecks } from './checks/disconnects.ts'
import { duplicateChecks } from './checks/duplicates.ts'
import { fuzzChecks } from './checks/fuzz.ts'
import { laterChecks } from './checks/later.ts'
import { outcomeChecks } from './checks/outcomes.ts'
import { replayChecks } from './checks/replays.ts'
import { requestChecks } from './checks/requests.ts'
import { routeChecks } from './checks/routes.ts'
import { securityChecks } from './checks/security.ts'
import { stackedChecks } from './checks/stacked.ts'
import { streamChecks } from './checks/streams.ts'
import { timeOutChecks } from './checks/time-outs.ts'
import { transactionChecks } from './checks/transactions.ts'

/** Every check of a binding, in the order in which failures are the easiest to understand. */
export const bindingChecks: readonly BindingCheck[] = [
  ...replayChecks,
  ...outcomeChecks,
  ...requestChecks,
  ...fuzzChecks,
  ...routeChecks,
  ...stackedChecks,
  ...securityChecks,
  ...duplicateChecks,
  ...disconnectChecks,
  ...timeOutChecks,
  ...laterChecks,
  ...transactionChecks,
  ...streamChecks,
]
