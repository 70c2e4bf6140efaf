export { type BodyLimits, type HeldBody, holdBody, type PassingBody } from './guard/answer/held-body.ts'
export type { AnswerHead, RecordPolicy } from './guard/answer/record-policy.ts'
export { recordable } from './guard/answer/recordable.ts'
export { responseSerializer } from './guard/answer/stored-response.ts'
export { attemptFor, createGuard, type Decision, type Guard } from './guard/guard.ts'
export {
  type Answered,
  answered,
  type HandlerCalls,
  type HandlerEnd,
  type HandlerRun,
  type Threw,
  threw,
} from './guard/handler-end.ts'
export type { Guarding, HttpOptions, RequestKey } from './guard/options.ts'
export type { HandlerAttempt, Notice, Notifier, StatusResource } from './guard/ports.ts'
export { type RecoverRequestsOptions, recoverRequests } from './guard/recover-requests.ts'
export type { FingerprintOptions } from './guard/request/fingerprint.ts'
export type { KeptRequest } from './guard/request/kept-request.ts'
export type { Exchange, HandlerAnswer, HeaderField, HttpResponse, RequestBody } from './protocol/exchange.ts'
export { changedFields, headerValues } from './protocol/exchange.ts'
export type { KeySyntax } from './protocol/key-header.ts'
export {
  type ConditionalRequest,
  type CurrentVersion,
  type Expected,
  PreconditionError,
  type PreconditionOptions,
  precondition,
  preconditionFailed,
} from './protocol/precondition.ts'
export { describeIdempotency, type IdempotencyDescription } from './resources/describe/describe.ts'
export type { DescribedOptions } from './resources/describe/facts.ts'
export { type StatusResourceOptions, statusResource } from './resources/status-resource.ts'
