/** Facts about a guarded resource, from which its descriptions are generated. */
import type { Duration } from '@retryproof/core'
import type { HttpOptions } from '../../guard/options/options.ts'
import type { FingerprintMembers } from '../../guard/request/fingerprint-option.ts'
import type { ProblemCode } from '../../protocol/problems.ts'

/** The options of `idempotent`, with the retention said out loud. */
export type DescribedOptions<Native> = HttpOptions<Native> & { readonly retention: Duration }

/** The facts that both forms state. */
export interface Facts {
  readonly docs: string
  /** True where the key is taken from the header. */
  readonly hasHeader: boolean
  readonly isRequired: boolean
  readonly isStrict: boolean
  readonly methods: readonly string[]
  readonly retentionMs: number
  readonly accepts: boolean
  /** The header that marks a replay. */
  readonly replayHeader: string
  /** The members of the body that count; `'some'` where a function of the application decides. */
  readonly fingerprint: FingerprintMembers | 'some' | undefined
  readonly record: 'final' | 'success' | 'all' | 'some'
  readonly problems: readonly ProblemCode[]
}
