export {
  type ConditionalRequest,
  type CurrentVersion,
  type Expected,
  PreconditionError,
  type PreconditionOptions,
  precondition,
  preconditionFailed,
} from './protocol/precondition.ts'
