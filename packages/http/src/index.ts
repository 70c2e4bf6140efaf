export { type BodyLimits, type HeldBody, holdBody, type PassingBody } from './guard/answer/held-body.ts'
export type { GivenAnswer, RecordPolicy } from './guard/answer/record-policy.ts'
export { type GivenResponse, resolveResponse } from './guard/answer/resolve-response.ts'
export type { SpellingOptions } from './guard/answer/spelling.ts'
export type { Preset } from './guard/answer/spelling-presets.ts'
export { responseSerializer } from './guard/answer/stored-response.ts'
export { recordable } from './guard/answer/undo-middleware.ts'
export { createGuard, type Decision, type Guard } from './guard/guard.ts'
export {
  type Answered,
  answered,
  type HandlerCalls,
  type HandlerEnd,
  type HandlerRun,
  type Threw,
  threw,
} from './guard/handler-end.ts'
export { attemptFor } from './guard/marks.ts'
export {
  GUARDED_METHODS,
  type Guarding,
  type HttpOptions,
  type Owner,
  type RequestKey,
} from './guard/options/options.ts'
export { callbackRefused, type HandlerAttempt, type Notice, type Notifier, type StatusResource } from './guard/ports.ts'
export { type RecoverRequestsOptions, recoverRequests } from './guard/recover-requests.ts'
export type { Fingerprint, FingerprintMembers } from './guard/request/fingerprint-option.ts'
export type { KeptRequest } from './guard/request/kept-request.ts'
export type {
  AnswerForm,
  Exchange,
  HandlerAnswer,
  HeaderField,
  HttpResponse,
  RequestBody,
  UploadedFile,
} from './protocol/exchange.ts'
export { changedFields, headerValues, removedFields } from './protocol/exchange.ts'
export type { KeySyntax } from './protocol/key-header.ts'
export type { ProblemAnswer } from './protocol/problem-response.ts'
export type { AnswerSummary, Problem, ProblemCode } from './protocol/problems.ts'
