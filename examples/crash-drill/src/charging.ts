/** The write of the drill, in each mode. */
import { randomUUID } from 'node:crypto'
import { type Attempt, createIdempotency, notStarted, type Recovery, type Steps, unscoped } from '@retryproof/core'
import type { Backend } from './backends.ts'
import type { Downstream } from './downstream.ts'
import type { Mode } from './messages.ts'

/** Makes a call stand still at a stage, as long as it likes. Synchronous transactions wait without giving way. */
export interface Pauses {
  beforeEffect(): Promise<void>
  afterEffect(made: boolean): Promise<void>
  afterEffectAtOnce(): void
}

export interface Charged {
  readonly value: string
  readonly attempt: number
}

const inOneTransaction = ['fenced', 'single'] as const
type TransactionMode = (typeof inOneTransaction)[number]

const isTransaction = (mode: Mode): mode is TransactionMode => inOneTransaction.some((each) => each === mode)
/** True where the effect is in the store's own database. */
export const isInStore = (mode: Mode): boolean => isTransaction(mode) || mode === 'steps'

/** The call of a key, whichever way it is made. */
export const referenceTo = (key: string) => ({ operation: 'charge', scope: unscoped, key }) as const

const nothing = async () => {}
const noPauses: Pauses = { beforeEffect: nothing, afterEffect: nothing, afterEffectAtOnce() {} }

export function openCharging<Tx>(
  { store, insert }: Pick<Backend<Tx>, 'store' | 'insert'>,
  downstream: Downstream,
  leaseMs: number,
) {
  const lasting = { lease: leaseMs, retention: '10m', storeRequest: 'plaintext' } as const
  const idempotency = createIdempotency({ store, namespace: 'drill', ...lasting })
  const isSync = store.capabilities.transactional === 'sync'

  /** Under a handler: the effect is downstream, or a step in the store's database. */
  async function handle(mode: Mode, key: string, attempt: Attempt & Steps<Tx>, pauses: Pauses): Promise<string> {
    await pauses.beforeEffect()
    if (attempt.signal.aborted) throw notStarted(attempt.signal.reason)
    const effect = { key, value: randomUUID() }
    if (mode === 'steps') {
      const value = await attempt.transaction('charge', (tx) => after(insert(tx, effect), effect.value))
      await pauses.afterEffect(true)
      return value
    }
    if (mode === 'derived') {
      const { value, made } = downstream.chargeOnce(attempt.keyFor('charge'), effect)
      await pauses.afterEffect(made)
      return value
    }
    downstream.charge(effect)
    await pauses.afterEffect(true)
    return effect.value
  }

  /** In a transaction that also settles the key. */
  function write(tx: Tx, key: string, pauses: Pauses): string | Promise<string> {
    const effect = { key, value: randomUUID() }
    if (isSync) {
      void insert(tx, effect)
      pauses.afterEffectAtOnce()
      return effect.value
    }
    const inTurn = async () => {
      await pauses.beforeEffect()
      await insert(tx, effect)
      await pauses.afterEffect(true)
      return effect.value
    }
    return inTurn()
  }

  return {
    idempotency,

    charge(mode: Mode, key: string, pauses = noPauses): Promise<Charged> {
      const call = { ...referenceTo(key), payload: { key } }
      if (isTransaction(mode)) return idempotency.transaction(call, (tx) => write(tx, key, pauses), { mode })
      const onTakeover = mode === 'park' ? 'park' : 'rerun'
      return idempotency.run(call, (attempt) => handle(mode, key, attempt, pauses), { onTakeover })
    },

    /** Finishes what crashed. */
    recover(mode: Mode): Promise<Recovery> {
      const operation = idempotency.operation('charge')
      const authorize = () => true
      return isTransaction(mode)
        ? operation.recover({ authorize, work: ({ key }, tx) => write(tx, key, noPauses) })
        : operation.recover({ authorize, handler: ({ key }, attempt) => handle(mode, key, attempt, noPauses) })
    },
  }
}

function after<T>(written: Promise<unknown> | undefined, value: T): T | Promise<T> {
  return written === undefined ? value : written.then(() => value)
}
