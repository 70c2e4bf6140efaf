/** The entry for store authors: the port, its contract as a pure function, and helpers to implement it. */

export { type Duration, toMs } from './base/durations.ts'
export { assertKnownOptions } from './base/options/known-options.ts'
export {
  IdempotencyInvalidOptionError,
  isIdempotencyError,
  StoreClosedError,
  StoreMisconfiguredError,
  StoreUnavailableError,
  TransactionConflictError,
  UnsupportedIsolationError,
} from './errors.ts'
export { answered } from './store/answered.ts'
export { type CasEntry, type CasStorage, createCasStore } from './store/cas/cas-store.ts'
export {
  countRecords,
  type KeyRange,
  keyRange,
  listRecords,
  listUnsorted,
  readPages,
  type SeenRecord,
  toListedRecord,
} from './store/listing.ts'
export { isPurgeable, PURGE_GRACE_MS } from './store/purgeable.ts'
export { acceptedFrom, type Command, type Reduced, reduce, type StoredRecord } from './store/reduce.ts'
export type * from './store/store.ts'
export { toUs } from './store/units.ts'
export { assertValueFits } from './store/value-limit.ts'
export { type StoreOverrides, wrapStore } from './store/wrappers/wrap-store.ts'
