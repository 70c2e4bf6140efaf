/** The rules by which requests are the same, and the reading of them. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'

/**
 * Members of the body that count: only those of `pick`, or all but those of `omit`. Dots lead into objects
 * (`customer.id`). Method, target and media type always count. `{ omit: [] }` is the whole body, which is the default.
 */
export type FingerprintMembers =
  | { readonly pick: readonly string[]; readonly omit?: never }
  | { readonly omit: readonly string[]; readonly pick?: never }

/**
 * Says what must be the same when a key is sent again: members of the body, or whatever a function of the request gives.
 * Of a function nothing else counts but the method, so that it can leave out the body or the query, or add a header.
 */
export type Fingerprint<Native> = FingerprintMembers | ((request: Native) => unknown)

/** @throws {@link IdempotencyInvalidOptionError} for anything else */
export function readFingerprint<Native>(
  option: 'fingerprint' | 'acceptFingerprints',
  fingerprint: Fingerprint<Native> | undefined,
): Fingerprint<Native> | undefined {
  if (fingerprint === undefined || typeof fingerprint === 'function') return fingerprint
  const { pick, omit } = fingerprint ?? {}
  const names: unknown = pick ?? omit
  const isList = Array.isArray(names) && names.every((name) => typeof name === 'string' && name !== '')
  if (isList && (pick === undefined) !== (omit === undefined)) return fingerprint
  throw new IdempotencyInvalidOptionError(
    option,
    `must be { pick: ['amount'] }, { omit: ['trace'] } or a function of the request, got ${JSON.stringify(fingerprint)}`,
  )
}

/** @throws {@link IdempotencyInvalidOptionError} unless it is a list of rules */
export function readAcceptedFingerprints<Native>(
  accepted: readonly Fingerprint<Native>[] = [],
): readonly Fingerprint<Native>[] {
  if (!Array.isArray(accepted)) {
    throw new IdempotencyInvalidOptionError('acceptFingerprints', 'must be a list of rules, such as [{ omit: [] }]')
  }
  return accepted.map((rule: Fingerprint<Native>) => readFingerprint('acceptFingerprints', rule) ?? { omit: [] })
}
