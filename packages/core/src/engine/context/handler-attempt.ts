/** The attempt as its handler sees it: what it asks for is made when it asks. */

import type { Attempt, CompletedStep, Steps } from '../../api/attempt.ts'
import { derivedKeys } from '../../keys/derived-keys.ts'
import { LEASE, type Lease } from '../mechanisms/lease.ts'
import type { OpenAttempt } from './open-attempt.ts'

/** One for all attempts, and a member of each of them, so that a copy of an attempt has a signal too. */
const SIGNAL = {
  enumerable: true,
  configurable: true,
  get(this: HandlerAttempt): AbortSignal {
    return this[LEASE].signal
  },
}

/** An attempt in a transaction, which takes no steps. */
export class HandlerAttempt implements Attempt {
  readonly number: number
  readonly token: number
  readonly interrupted: boolean
  declare readonly signal: AbortSignal
  readonly keyFor: Attempt['keyFor']
  readonly [LEASE]: Lease

  constructor({ instance, prepared, head }: OpenAttempt, lease: Lease) {
    this.number = head.attempt
    this.token = head.token
    this.interrupted = head.interrupted
    this[LEASE] = lease
    // V8 keeps a function that is written behind the assignment, and its call, until the next full collection
    const keyFor: Attempt['keyFor'] = (step, options) =>
      derivedKeys(instance.digest, prepared.key, prepared.fingerprint)(step, options)
    this.keyFor = keyFor
    Object.defineProperty(this, 'signal', SIGNAL)
  }
}

/** An attempt that takes steps. `open` makes what they need at the first. */
export class SteppingAttempt extends HandlerAttempt implements Steps<unknown> {
  readonly checkpoint: readonly CompletedStep[]
  readonly step: Steps<unknown>['step']
  readonly transaction: Steps<unknown>['transaction']

  constructor(
    opened: OpenAttempt,
    lease: Lease,
    checkpoint: readonly CompletedStep[],
    open: () => Pick<Steps<unknown>, 'step' | 'transaction'>,
  ) {
    super(opened, lease)
    let steps: ReturnType<typeof open> | undefined
    const opening = () => {
      steps ??= open()
      return steps
    }
    this.checkpoint = checkpoint
    const step: typeof this.step = (name, fn) => opening().step(name, fn)
    const transaction: typeof this.transaction = (name, work) => opening().transaction(name, work)
    this.step = step
    this.transaction = transaction
  }
}
