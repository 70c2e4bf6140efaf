/** Checks the options of `once`. */
import {
  type Duration,
  type Idempotency,
  IdempotencyInvalidOptionError,
  type Policies,
  retention,
} from '@retryproof/core'
import { toMs } from '@retryproof/core/internal'
import { type Delays, type RedeliveryDelay, readDelays } from './redelivery-delay.ts'

/** The policies of the core, with defaults for messages: `retention` `'7d'`, `lease` `'30s'`, `maxRun` `'15m'`, `maxAttempts` 5. */
export interface OnceOptions<InTransaction extends boolean = boolean>
  extends Omit<Policies, 'onInProgress' | 'onStoreUnavailable' | 'replay'> {
  /**
   * The time in which the broker may deliver a message again, or a publisher repeat it. A shorter `retention` is
   * refused: past it, a duplicate would be handled as if it were new. @default '7d'
   */
  readonly redeliveryWindow?: Duration
  /** The delay after a failure, and while another consumer has the message. */
  readonly redeliveryDelay?: RedeliveryDelay
  /**
   * Gives the handler a transaction of the store's database. Its writes and the record of the message commit together:
   * both, or neither. @default false
   */
  readonly transaction?: InTransaction
}

export interface ReadOnce {
  readonly transaction: boolean
  readonly maxAttempts: number
  readonly leaseMs: number
  readonly maxRunMs: number
  readonly delays: Delays
  readonly onFailure: NonNullable<Policies['onFailure']>
  /** Policies for the core. Attempts are counted here: a dead letter is confirmed before anything is settled. */
  readonly policies: Policies
}

const DEFAULT_MAX_ATTEMPTS = 5

/** @throws {@link IdempotencyInvalidOptionError} when an option cannot be used */
export function readOnce(
  { capabilities }: Pick<Idempotency<never>, 'capabilities'>,
  { redeliveryWindow = retention.queue, redeliveryDelay, transaction = false, ...given }: OnceOptions,
): ReadOnce {
  const { maxAttempts = DEFAULT_MAX_ATTEMPTS, onFailure = 'retry', lease = '30s', maxRun = '15m', ...policies } = given
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
    maxRunMs: toMs('maxRun', maxRun),
    delays: readDelays(redeliveryDelay),
    onFailure,
    policies: {
      ...policies,
      lease,
      maxRun,
      retention: retentionMs,
      maxAttempts: Number.POSITIVE_INFINITY,
      onInProgress: 'reject',
      onStoreUnavailable: 'reject',
      replay: 'semantic',
    },
  }
}
