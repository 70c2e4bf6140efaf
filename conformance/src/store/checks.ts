import type { Check } from './check.ts'
import { historyChecks } from './checks/concurrency/histories.ts'
import { raceChecks } from './checks/concurrency/races.ts'
import { contentChecks } from './checks/contents/contents.ts'
import { keyChecks } from './checks/contents/keys.ts'
import { valueChecks } from './checks/contents/values.ts'
import { harnessChecks } from './checks/harness.ts'
import { clockChecks } from './checks/lifecycle/clock.ts'
import { expiryChecks } from './checks/lifecycle/expiry.ts'
import { holdingChecks } from './checks/lifecycle/holding.ts'
import { sequenceChecks } from './checks/lifecycle/sequences.ts'
import { settledChecks } from './checks/lifecycle/settled.ts'
import { tokenChecks } from './checks/lifecycle/tokens.ts'
import { availabilityChecks } from './checks/operations/availability.ts'
import { listChecks } from './checks/operations/list.ts'
import { purgeChecks } from './checks/operations/purge.ts'
import { watchChecks } from './checks/operations/watch.ts'
import { exactlyOnceChecks } from './checks/transactions/exactly-once.ts'
import { isolationChecks } from './checks/transactions/isolation.ts'
import { openTransactionChecks } from './checks/transactions/open-transactions.ts'
import { transactionChecks } from './checks/transactions/transactions.ts'
import { unknownCommitChecks } from './checks/transactions/unknown-commit.ts'

/** Every check of the suite, in the order in which failures are the easiest to understand. */
export const checks: readonly Check[] = [
  ...harnessChecks,
  ...holdingChecks,
  ...tokenChecks,
  ...settledChecks,
  ...expiryChecks,
  ...contentChecks,
  ...valueChecks,
  ...keyChecks,
  ...clockChecks,
  ...availabilityChecks,
  ...purgeChecks,
  ...sequenceChecks,
  ...raceChecks,
  ...historyChecks,
  ...listChecks,
  ...watchChecks,
  ...transactionChecks,
  ...openTransactionChecks,
  ...isolationChecks,
  ...exactlyOnceChecks,
  ...unknownCommitChecks,
]
