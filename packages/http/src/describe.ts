export { describeIdempotency, type IdempotencyDescription } from './resources/describe/describe.ts'
export type { DescribedOptions } from './resources/describe/facts.ts'
export type { OpenApiFragment } from './resources/describe/openapi.ts'
