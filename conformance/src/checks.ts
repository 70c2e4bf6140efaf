import type { Check } from './check.ts'
import { availabilityChecks } from './checks/availability.ts'
import { clockChecks } from './checks/clock.ts'
import { contentChecks } from './checks/contents.ts'
import { exactlyOnceChecks } from './checks/exactly-once.ts'
import { expiryChecks } from './checks/expiry.ts'
import { harnessChecks } from './checks/harness.ts'
import { historyChecks } from './checks/histories.ts'
import { holdingChecks } from './checks/holding.ts'
import { isolationChecks } from './checks/isolation.ts'
import { keyChecks } from './checks/keys.ts'
import { listChecks } from './checks/list.ts'
import { openTransactionChecks } from './checks/open-transactions.ts'
import { purgeChecks } from './checks/purge.ts'
import { raceChecks } from './checks/races.ts'
import { sequenceChecks } from './checks/sequences.ts'
import { settledChecks } from './checks/settled.ts'
import { tokenChecks } from './checks/tokens.ts'
import { transactionChecks } from './checks/transactions.ts'
import { unknownCommitChecks } from './checks/unknown-commit.ts'
import { valueChecks } from './checks/values.ts'
import { watchChecks } from './checks/watch.ts'

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
