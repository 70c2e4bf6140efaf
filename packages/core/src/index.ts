/** The entry for applications. Store authors import `@retryproof/core/store`. */
export type { Attempt, CompletedStep, Handler, InterruptedAttempt, Steps, Work } from './api/attempt.ts'
export { type Call, type Outcome, type Reference, type Scope, unscoped } from './api/call.ts'
export { type AttemptEvent, type EventBase, type EventType, eventTypes, type IdempotencyEvents } from './api/events.ts'
export {
  type NotStarted,
  notStarted,
  type Release,
  type RollBack,
  release,
  rollBack,
  type Terminal,
  terminal,
  type Unreplayable,
  unreplayable,
  type WorkResult,
} from './api/handler-results.ts'
export type { Idempotency, IdempotencyOptions, Operation } from './api/idempotency.ts'
export type {
  Drained,
  Inspection,
  KeptCall,
  PurgeOptions,
  PurgeRunner,
  RecordFilter,
  RecoverOptions,
  Recovery,
  RecoveryError,
  StoredKey,
} from './api/operators.ts'
export type { FailureDecision, Policies, ReplayByReference, Resolution, TransactionPolicies } from './api/policies.ts'
export type { Replayed } from './api/replayed.ts'
export type { Codec, CodecContext, ErrorType, Kind, Serializer } from './api/serialization.ts'
export { type Duration, retention } from './base/durations.ts'
export { type CompressionOptions, compressed } from './encoding/compressed.ts'
export { type EncryptionOptions, encrypted } from './encoding/encrypted.ts'
export { errorType } from './encoding/failure.ts'
export { json } from './encoding/json.ts'
export { createIdempotency } from './engine/create-idempotency.ts'
export * from './errors.ts'
export { type ContentKey, contentKey } from './keys/content-key.ts'
export type {
  IdempotencyStore,
  ListedRecord,
  NoTransactions,
  RecordCount,
  RecordState,
  RecordView,
  StoreCapabilities,
} from './store/store.ts'
export { guardStore } from './store/wrappers/guard-store.ts'
export { type OrmTransactions, ormStore } from './store/wrappers/orm-store.ts'
