/** Facts about a guarded resource, from which its descriptions are generated. */
import type { Duration } from '@retryproof/core'
import type { HttpOptions } from '../../guard/options.ts'
import type { ProblemType } from '../../protocol/problems.ts'

/** The options of `idempotent`, with the retention said out loud. */
export type DescribedOptions<Native> = HttpOptions<Native> & { readonly retention: Duration }

/** What both forms say. */
export interface Facts {
  readonly docs: string
  /** Whether the key is taken from the header. */
  readonly hasHeader: boolean
  readonly isRequired: boolean
  readonly isStrict: boolean
  readonly methods: readonly string[]
  readonly retentionMs: number
  readonly accepts: boolean
  readonly expiryHeader: string | undefined
  /** What of the body counts. */
  readonly fingerprint: HttpOptions<unknown>['fingerprint'] | undefined
  readonly record: 'final' | 'success' | 'all' | 'some'
  readonly problems: readonly ProblemType[]
}
