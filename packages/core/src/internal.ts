/** The entry for packages of this repository. Makes no promise to anybody else: any version may change it. */
export {
  failAndAnswer,
  isNotStarted,
  isRelease,
  isRollBack,
  isTerminal,
  releaseAfter,
} from './api/handler-results.ts'
export { createTurns, type Turns, within } from './base/bounded.ts'
export { MAX_DURATION_MS, toMs } from './base/durations.ts'
export { after, isPromise, type MaybePromise } from './base/maybe-promise.ts'
export { describeKind } from './base/options/describe-kind.ts'
export { refuseMistypedMembers } from './base/options/known-members.ts'
export { assertKnownNames } from './base/options/known-options.ts'
export { backOff, sleep, startTimer } from './base/timers.ts'
export { describeThrown, warn } from './base/warn.ts'
export { policyNames } from './engine/context/read-policies.ts'
export { lapse } from './engine/mechanisms/lease.ts'
export { isPurgeTurn } from './engine/operators/purge.ts'
export { canonicalAscii } from './keys/canonical/canonical-ascii.ts'
export { plainBytes } from './keys/canonical/canonical-bytes.ts'
export { canonicalize, isPlain, type Substitute } from './keys/canonical/canonical-json.ts'
export { canonicalText } from './keys/canonical/canonical-text.ts'
export { decimalText } from './keys/canonical/decimal-text.ts'
export { createDigest } from './keys/digest.ts'
export { isAccident, MAX_CHARACTERS, problemOf, requireText } from './keys/key-text.ts'
export { namespaceSlug, operationSlug } from './keys/storage-key.ts'
export { answerOf } from './store/answered.ts'
export { withoutRelease } from './store/connections/held-connection.ts'
export { createLanes, type LaneOptions } from './store/connections/lanes.ts'
export { turnsOf } from './store/connections/pool-turns.ts'
export { partsOf } from './store/listing.ts'
export { type ErrorMeaning, storeError } from './store/store-error.ts'
