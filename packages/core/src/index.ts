export type { Idempotency, IdempotencyOptions, NamedOperation, Operation } from './api-idempotency.ts'
export type {
  Drained,
  Inspection,
  KeptCall,
  PurgeOptions,
  Purging,
  RecordFilter,
  RecoverOptions,
  Recovery,
} from './api-operators.ts'
export type { FailureDecision, Policies, ReferenceGuarantee, Resolution, TransactionPolicies } from './api-policies.ts'
export type { Codec, CodecContext, ErrorType, Kind, Serializer } from './api-serialization.ts'
export type { Attempt, CompletedStep, Handler, InterruptedAttempt, Returned, Steps, Work } from './attempt.ts'
export { canonicalize } from './canonical-json.ts'
export { type CasEntry, type CasStorage, createCasStore } from './cas-store.ts'
export { type CompressionOptions, compressed } from './compressed.ts'
export { type ContentKey, contentKey } from './content-key.ts'
export { type Duration, MAX_DURATION_MS, retention, toMs } from './durations.ts'
export { type EncryptionOptions, encrypted } from './encrypted.ts'
export * from './errors.ts'
export type { AttemptEvent, EventBase, EventType, IdempotencyEvents } from './events.ts'
export { errorType } from './failures.ts'
export { guardStore } from './guard-store.ts'
export { createIdempotency } from './idempotency.ts'
export { json } from './json.ts'
export { requireRoom } from './limits.ts'
export { listed } from './listing.ts'
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
export { acceptedFrom, type Command, isPurgeable, type Reduced, reduce, type StoredRecord } from './reduce.ts'
export type * from './store.ts'
export { type Call, type Outcome, type Reference, type Scope, unscoped } from './types.ts'
