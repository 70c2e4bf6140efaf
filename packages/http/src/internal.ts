/** The entry for packages of this repository. Makes no promise to anybody else: any version may change it. */
export { duration, readDuration } from './records/durations.ts'
export { neutralize, neutralizeJson, neutralizeLines } from './records/neutralize.ts'
export { expiryOf, isRouteSlug, leaseOf, STATES, stateName } from './records/record-words.ts'
export { REDACTED, redact, withoutAddress } from './records/redact.ts'
export { readRecord, type ShownRecord, toPlain, toShown } from './records/shown-record.ts'
