/** The write of the drill, in each mode. */
import { randomUUID } from 'node:crypto'
import { createIdempotency, notStarted, unscoped } from '@retryproof/core'
import type { Backend } from './backends.ts'
import type { Downstream } from './downstream.ts'
import type { Mode } from './messages.ts'

/** Where a call stands still, as long as it likes. Synchronous transactions wait without giving way. */
export interface Pauses {
  beforeEffect(): Promise<void>
  afterEffect(made: boolean): Promise<void>
  afterEffectAtOnce(): void
}

export interface Charged {
  readonly value: string
  readonly attempt: number
}

export const isTransaction = (mode: Mode): mode is 'fenced' | 'single' => mode === 'fenced' || mode === 'single'

export const referenceTo = (key: string) => ({ operation: 'charge', scope: unscoped, key }) as const

export function openCharging<Tx>(
  { store, insert }: Pick<Backend<Tx>, 'store' | 'insert'>,
  downstream: Downstream,
  leaseMs: number,
) {
  const idempotency = createIdempotency({ store, namespace: 'drill', lease: leaseMs, retention: '10m' })
  const isSync = store.capabilities.transactional === 'sync'

  async function charge(mode: Mode, key: string, pauses: Pauses): Promise<Charged> {
    const call = { ...referenceTo(key), payload: { key } }
    const policies = { onTakeover: mode === 'park' ? 'park' : 'rerun' } as const
    if (!isTransaction(mode)) {
      return idempotency.run(
        call,
        async (attempt) => {
          await pauses.beforeEffect()
          if (attempt.signal.aborted) throw notStarted(attempt.signal.reason)
          const effect = { key, value: randomUUID() }
          if (mode === 'derived') {
            const { value, made } = downstream.chargeOnce(attempt.keyFor('charge'), effect)
            await pauses.afterEffect(made)
            return value
          }
          downstream.charge(effect)
          await pauses.afterEffect(true)
          return effect.value
        },
        policies,
      )
    }
    const effectOf = () => ({ key, value: randomUUID() })
    if (!isSync) {
      return idempotency.transaction(
        call,
        async (tx) => {
          await pauses.beforeEffect()
          const effect = effectOf()
          await insert(tx, effect)
          await pauses.afterEffect(true)
          return effect.value
        },
        { mode },
      )
    }
    return idempotency.transaction(
      call,
      (tx) => {
        const effect = effectOf()
        void insert(tx, effect)
        pauses.afterEffectAtOnce()
        return effect.value
      },
      { mode },
    )
  }

  return { idempotency, charge }
}
