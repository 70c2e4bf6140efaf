export type { Attempt, CompletedStep, Handler, InterruptedAttempt, Returned, Steps, Work } from './api/attempt.ts'
export { type Call, type Outcome, type Reference, type Scope, unscoped } from './api/call.ts'
export type { AttemptEvent, EventBase, EventType, IdempotencyEvents } from './api/events.ts'
export {
  type HandBack,
  handBack,
  type NotStarted,
  notStarted,
  type RollBack,
  rollBack,
  type Unreplayable,
  unreplayable,
} from './api/handler-results.ts'
export type { Idempotency, IdempotencyOptions, NamedOperation, Operation } from './api/idempotency.ts'
export type {
  Drained,
  Inspection,
  KeptCall,
  PurgeOptions,
  Purging,
  RecordFilter,
  RecoverOptions,
  Recovery,
} from './api/operators.ts'
export type { FailureDecision, Policies, ReferenceGuarantee, Resolution, TransactionPolicies } from './api/policies.ts'
export type { Codec, CodecContext, ErrorType, Kind, Serializer } from './api/serialization.ts'
export { type Duration, MAX_DURATION_MS, retention, toMs } from './base/durations.ts'
export { type CompressionOptions, compressed } from './encoding/compressed.ts'
export { type EncryptionOptions, encrypted } from './encoding/encrypted.ts'
export { errorType } from './encoding/failure.ts'
export { json } from './encoding/json.ts'
export { createIdempotency } from './engine/create-idempotency.ts'
export * from './errors.ts'
export { canonicalize } from './keys/canonical-json.ts'
export { type ContentKey, contentKey } from './keys/content-key.ts'
export { type CasEntry, type CasStorage, createCasStore } from './store/cas-store.ts'
export { guardStore } from './store/guard-store.ts'
export { listed } from './store/listing.ts'
export { acceptedFrom, type Command, isPurgeable, type Reduced, reduce, type StoredRecord } from './store/reduce.ts'
export type * from './store/store.ts'
export { requireRoom } from './store/value-limit.ts'
