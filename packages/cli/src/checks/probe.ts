/** Runs every operation of a store once, and leaves no trace. */
import type { IdempotencyStore } from '@retryproof/core'
import { type Finding, findingOf, Probed } from './finding.ts'

/** The part of a transactional store that a probe uses. */
type Transactional = Required<Pick<IdempotencyStore<object>, 'bind' | 'transaction'>>

/** Begins, settles and forgets a record in a transaction that is rolled back. */
export async function probe(store: IdempotencyStore<never>): Promise<Finding[]> {
  const { bind, transaction } = store as unknown as Partial<Transactional>
  const key = `retryproof.check.${crypto.randomUUID()}`
  try {
    await store.get(key)
    if (!bind || !transaction) return []
    const isSync = store.capabilities.transactional === 'sync'
    await transaction((tx) => (isSync ? probeSync(bind(tx), key) : probeIn(bind(tx), key)))
  } catch (error) {
    if (error instanceof Probed || (error as { cause?: unknown }).cause instanceof Probed) return []
    return [findingOf(error)]
  }
  return []
}

type Bound = ReturnType<Transactional['bind']>

const claim = { owner: 'check', fingerprint: 'check', leaseMs: 1000, retentionMs: 1000 }
const forgotten = { to: 'forgotten', tombstoneMs: 0 } as const

async function probeIn(bound: Bound, key: string): Promise<never> {
  const { token } = await bound.begin(key, claim)
  await bound.transition(key, token, { to: 'completed', result: new Uint8Array([0, 255]), retentionMs: 1000 })
  await bound.transition(key, token, forgotten)
  throw new Probed()
}

function probeSync(bound: Bound, key: string): never {
  const { token } = bound.begin(key, claim) as { token: number }
  void bound.transition(key, token, forgotten)
  throw new Probed()
}
