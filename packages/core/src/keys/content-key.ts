/** Keys for clients that send none: what is asked is the key. */

import { type Duration, toMs } from '../base/durations.ts'
import { assertKnownOptions } from '../base/options/known-options.ts'
import { canonicalize } from './canonical/canonical-json.ts'
import { createDigest } from './digest.ts'

/** A key made of content, and the retention that makes it dedupe for as long as was asked. */
export interface ContentKey {
  readonly key: string
  /** Milliseconds. */
  readonly retention: number
}

const MIN_WINDOW_MS = 1000
const digest = createDigest(undefined)

/**
 * The same fields give the same key, in whatever order: a second write within `window` is a duplicate of the first. The
 * window is the retention, counted from the settling; there is no time in the key, so no boundary to slip through.
 *
 * @param fields a JSON value: who, what, how much
 *
 * @example
 * import { contentKey } from '@retryproof/core'
 *
 * const { key, retention } = await contentKey({ to: 'ada@example.com', template: 'welcome' }, { window: '10m' })
 * await idempotency.run({ operation: 'send-mail', scope: 'user_42', key }, async () => 'sent', { retention })
 *
 * @throws {@link IdempotencyInvalidOptionError} when the window is under a second
 * @throws {@link IdempotencyInvalidCallError} when JSON cannot hold the fields
 */
export async function contentKey(fields: unknown, options: { readonly window: Duration }): Promise<ContentKey> {
  assertKnownOptions(options, { window: true })
  const retention = toMs('window', options.window, { min: MIN_WINDOW_MS })
  return { key: await digest('retryproof/content', [canonicalize(fields)]), retention }
}
