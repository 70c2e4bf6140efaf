export { describeIdempotency, type IdempotencyDescription } from './describe.ts'
export type { Exchange, HandlerAnswer, HeaderField, HttpResponse, RequestBody } from './exchange.ts'
export { changedFields, headerValues } from './exchange.ts'
export type { DescribedOptions } from './facts.ts'
export type { FingerprintOptions } from './fingerprint.ts'
export { attemptFor, createGuard, type Decision, type Guard } from './guard.ts'
export { type BodyLimits, type HeldBody, holdBody, type PassingBody } from './held-body.ts'
export type { KeptRequest } from './kept-request.ts'
export type { KeySyntax } from './key-header.ts'
export type { HandlerAttempt, HandlerCalls, Notice, Notifier, StatusResource } from './notifier.ts'
export type { Guarding, HttpOptions, RequestKey } from './options.ts'
export type { AnswerHead, RecordPolicy } from './outcome-policy.ts'
export {
  type ConditionalRequest,
  type CurrentVersion,
  type Expected,
  PreconditionError,
  type PreconditionOptions,
  precondition,
  preconditionFailed,
} from './precondition.ts'
export { recordable } from './recordable.ts'
export { type RecoverRequestsOptions, recoverRequests } from './recover-requests.ts'
export { type StatusResourceOptions, statusResource } from './status-resource.ts'
export { responseSerializer } from './stored-response.ts'
