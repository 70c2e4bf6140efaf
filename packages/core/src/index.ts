export { canonicalize } from './canonical-json.ts'
export { type CasEntry, type CasStorage, createCasStore } from './cas-store.ts'
export {
  type Codec,
  type CodecContext,
  json,
  type Kind,
  type Serializer,
} from './codec.ts'
export { type CompressionOptions, compressed } from './compressed.ts'
export { type ContentKey, contentKey } from './content-key.ts'
export { type Duration, MAX_DURATION_MS, retention, toMs } from './durations.ts'
export { type EncryptionOptions, encrypted } from './encrypted.ts'
export * from './errors.ts'
export type { AttemptEvent, EventBase, EventType, IdempotencyEvents } from './events.ts'
export { type ErrorType, errorType } from './failures.ts'
export { guardStore } from './guard-store.ts'
export { createIdempotency } from './idempotency.ts'
export { requireRoom } from './limits.ts'
export { listed } from './listing.ts'
export type { RecordFilter } from './operators.ts'
export {
  type HandBack,
  handBack,
  type NotStarted,
  notStarted,
  type RollBack,
  rollBack,
  type Unreplayable,
  unreplayable,
} from './outcome.ts'
export type { PurgeOptions, Purging } from './purge.ts'
export type { RecoverOptions, Recovery } from './recover.ts'
export { acceptedFrom, type Command, isPurgeable, type Reduced, reduce, type StoredRecord } from './reduce.ts'
export type { KeptCall } from './requests.ts'
export type * from './store.ts'
export {
  type Attempt,
  type Call,
  type CompletedStep,
  type Drained,
  type FailureDecision,
  type Handler,
  type Idempotency,
  type IdempotencyOptions,
  type Inspection,
  type InterruptedAttempt,
  type NamedOperation,
  type Operation,
  type Outcome,
  type Policies,
  type Reference,
  type ReferenceGuarantee,
  type Resolution,
  type Returned,
  type Scope,
  type Steps,
  type TransactionPolicies,
  unscoped,
  type Work,
} from './types.ts'
