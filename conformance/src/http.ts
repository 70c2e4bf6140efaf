export {
  type BindingCheck,
  type BindingHarness,
  type BindingNeed,
  type BindingServer,
  ruledOutFor,
} from './http/check.ts'
export { bindingChecks } from './http/checks.ts'
export { type BindingClient, clientOf } from './http/client.ts'
export { describeBinding } from './http/describe-binding.ts'
