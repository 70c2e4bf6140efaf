/** The names of all options: a mistyped one is refused with the name that was meant. */
import type { Policies } from '@retryproof/core'
import { assertKnownNames, policyNames } from '@retryproof/core/internal'
import type { HttpOptions } from './options.ts'

/** A record, so that the compiler finds a name that is missing here. */
const own: Readonly<Record<Exclude<keyof HttpOptions<never>, keyof Policies>, true>> = {
  scope: true,
  operation: true,
  key: true,
  keyFormat: true,
  syntax: true,
  methods: true,
  required: true,
  requirePrecondition: true,
  fingerprint: true,
  acceptFingerprints: true,
  maxRequestBytes: true,
  storeHeaders: true,
  record: true,
  maxResponseBytes: true,
  stream: true,
  respond: true,
  statusResource: true,
  webhook: true,
  transaction: true,
  commitWhen: true,
  maxRetryAfter: true,
  preset: true,
  problem: true,
  replayHeader: true,
  docs: true,
}

const known = [...Object.keys(own), ...policyNames.filter((name) => name !== 'serializer')]

/** @throws IdempotencyInvalidOptionError for a name that is no option, with the nearest one and the list of all */
export function requireKnownOptions(options: object): void {
  assertKnownNames(options, known)
}
