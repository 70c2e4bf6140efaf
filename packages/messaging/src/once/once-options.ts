/** The options of `once`, checked. */
import {
  type Duration,
  type Idempotency,
  IdempotencyInvalidOptionError,
  type Policies,
  retention,
} from '@retryproof/core'
import { toMs } from '@retryproof/core/internal'
import { type Delays, type RedeliveryDelay, readDelays } from './redelivery-delay.ts'

/** Policies of the core, with defaults for messages: `retention` `'7d'`, `lease` `'30s'`, `maxAttempts` 5. */
export interface OnceOptions<InTransaction extends boolean = boolean>
  extends Omit<Policies, 'onInProgress' | 'onStoreUnavailable' | 'replay'> {
  /**
   * For how long the broker may deliver a message again, or a publisher repeat it. A `retention` that is shorter is
   * refused: past it, a duplicate would be handled as if it were new. @default '7d'
   */
  readonly redeliveryWindow?: Duration
  /** How long a message is left alone after a failure, and while another consumer has it. */
  readonly redeliveryDelay?: RedeliveryDelay
  /**
   * The handler gets a transaction of the store's database, and what it writes there commits together with the record
   * of the message: both, or neither. @default false
   */
  readonly transaction?: InTransaction
}

export interface ReadOnce {
  readonly transaction: boolean
  readonly maxAttempts: number
  readonly leaseMs: number
  readonly delays: Delays
  readonly onFailure: NonNullable<Policies['onFailure']>
  /** What the core is to know: attempts are counted here, since a dead letter has to be confirmed before anything is settled. */
  readonly policies: Policies
}

const DEFAULT_MAX_ATTEMPTS = 5

/** @throws IdempotencyInvalidOptionError */
export function readOnce(
  { capabilities }: Pick<Idempotency<never>, 'capabilities'>,
  { redeliveryWindow = retention.queue, redeliveryDelay, transaction = false, ...given }: OnceOptions,
): ReadOnce {
  const { maxAttempts = DEFAULT_MAX_ATTEMPTS, onFailure = 'retry', lease = '30s', ...policies } = given
  const windowMs = toMs('redeliveryWindow', redeliveryWindow, { min: 1 })
  const retentionMs = toMs('retention', policies.retention ?? Math.max(windowMs, toMs('retention', retention.queue)))
  if (retentionMs < windowMs) {
    throw new IdempotencyInvalidOptionError(
      'retention',
      `is ${retentionMs} ms, and a message may be delivered again for ${windowMs} ms (\`redeliveryWindow\`): a duplicate would be handled as if it were new`,
    )
  }
  if (maxAttempts !== Number.POSITIVE_INFINITY && !(Number.isInteger(maxAttempts) && maxAttempts >= 1)) {
    throw new IdempotencyInvalidOptionError('maxAttempts', `must be a whole number from 1, got ${maxAttempts}`)
  }
  if (transaction && !capabilities.transactional) {
    throw new IdempotencyInvalidOptionError('transaction', 'needs a store in a database with transactions')
  }
  return {
    transaction,
    maxAttempts,
    leaseMs: toMs('lease', lease),
    delays: readDelays(redeliveryDelay),
    onFailure,
    policies: {
      ...policies,
      lease,
      retention: retentionMs,
      maxAttempts: Number.POSITIVE_INFINITY,
      onInProgress: 'reject',
      onStoreUnavailable: 'reject',
      replay: 'semantic',
    },
  }
}
