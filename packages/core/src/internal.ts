/** The entry for packages of this repository. Makes no promise to anybody else: any version may change it. */
export { failAndAnswer, isRelease, releaseAfter } from './api/handler-results.ts'
export { MAX_DURATION_MS, toMs } from './base/durations.ts'
export { backOff, sleep } from './base/timers.ts'
export { warn } from './base/warn.ts'
export { lapse } from './engine/mechanisms/lease.ts'
export { canonicalize } from './keys/canonical-json.ts'
export { createDigest } from './keys/digest.ts'
