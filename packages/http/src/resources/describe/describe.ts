/** Describes the idempotency of a resource to its clients, as §2.5.2 of the draft obliges a resource to do. */
import { toMs } from '@retryproof/core/internal'
import { presets } from '../../guard/answer/spelling-presets.ts'
import { GUARDED_METHODS } from '../../guard/options/options.ts'
import { DOCS } from '../../protocol/problems.ts'
import type { DescribedOptions, Facts } from './facts.ts'
import { markdownOf } from './markdown.ts'
import { type OpenApiFragment, openApiOf } from './openapi.ts'

export interface IdempotencyDescription {
  /** For OpenAPI 3.1: merge `components` into the document, and `operation` into each operation that is guarded. */
  readonly openapi: OpenApiFragment
  /** A page for people. Its headings are the fragments of problem types: publish it, and give its URL as `docs`. */
  readonly markdown: string
}

/**
 * Describes a guarded resource as an OpenAPI fragment and as a page in Markdown.
 *
 * @throws {@link IdempotencyInvalidOptionError} when `retention` is no duration
 *
 * @example
 * import { unscoped } from '@retryproof/core'
 * import { describeIdempotency } from '@retryproof/http/describe'
 *
 * const { openapi, markdown } = describeIdempotency({ scope: unscoped, retention: '24h' })
 */
export function describeIdempotency<Native>(options: DescribedOptions<Native>): IdempotencyDescription {
  const { docs = DOCS, record = 'final', required = true, requirePrecondition = false } = options
  const { respond = 'sync' } = options
  const fingerprint = typeof options.fingerprint === 'function' ? 'some' : options.fingerprint
  const accepts = options.onInProgress === 'accept' || respond !== 'sync'
  const facts: Facts = {
    docs,
    hasHeader: !options.key,
    isRequired: required,
    isStrict: options.syntax === 'strict',
    methods: [...GUARDED_METHODS, ...(options.methods ?? []).map((method) => method.toUpperCase())],
    retentionMs: toMs('retention', options.retention, { min: 1000 }),
    accepts,
    replayHeader: options.replayHeader ?? presets[options.preset ?? 'ietf'].replayHeader,
    fingerprint,
    record: typeof record === 'string' ? record : 'some',
    problems: [
      ...(required ? (['key-missing'] as const) : []),
      'key-invalid',
      ...(options.webhook ? (['callback-refused'] as const) : []),
      'body-invalid',
      ...(typeof options.scope === 'function' ? (['unauthenticated'] as const) : []),
      'in-progress',
      'lease-lost',
      ...(options.transaction ? (['conflict'] as const) : []),
      'outcome-unknown',
      'not-replayable',
      'body-too-large',
      ...(fingerprint === 'some' || fingerprint?.pick ? [] : (['body-unsupported'] as const)),
      'key-reused',
      ...(requirePrecondition ? (['precondition-required'] as const) : []),
      'failed',
      'undecodable',
      'unavailable',
      'draining',
    ],
  }
  return { openapi: openApiOf(facts), markdown: markdownOf(facts) }
}
