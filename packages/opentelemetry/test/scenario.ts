/** Calls of a payment service after which every event has happened at least once. */
import { createIdempotency, type IdempotencyStore, StoreUnavailableError } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'

export const NAMESPACE = 'payments'
export const OPERATION = 'POST /charges'
/** The secrets that no attribute may tell. */
export const SECRET_KEY = 'the-key-of-the-client'

/** A clock that is set, and a store that can be down. */
export function openWorld(wrap: (store: IdempotencyStore) => IdempotencyStore = (store) => store) {
  let nowMs = 1_700_000_000_000
  let isDown = false
  const memory = memoryStore({ now: () => nowMs })
  const down = async () => {
    throw new StoreUnavailableError('The store is down.', { applied: 'no' })
  }
  const store: IdempotencyStore = {
    ...memory,
    begin: (key, claim) => (isDown ? down() : memory.begin(key, claim)),
    transition: (key, token, change) => (isDown ? down() : memory.transition(key, token, change)),
  }
  const idempotency = createIdempotency({
    store: wrap(store),
    namespace: NAMESPACE,
    lease: '30s',
    storeTimeout: '200ms',
    settleTimeout: '100ms',
  })
  const call = (key: string, payload: unknown = 1) => ({ operation: OPERATION, scope: 'ann', key, payload })

  return {
    idempotency,
    call,
    pass: (ms: number) => {
      nowMs += ms
    },
    setDown: (down: boolean) => {
      isDown = down
    },
  }
}

/** Plays it; each line says which event it is for. */
export async function playEverything({ idempotency, call, pass, setDown }: ReturnType<typeof openWorld>) {
  const key = SECRET_KEY
  await idempotency.run(call(key), () => 'charged') // started, completed
  await idempotency.run(call(key), () => 'charged') // replayed
  await idempotency.run(call(key, 2), () => 'charged').catch(ignore) // mismatch
  await idempotency.run(call('fails'), fail, { storeRequest: 'plaintext' }).catch(ignore) // released
  await idempotency.operation(OPERATION, { storeRequest: 'plaintext' }).recover({ handler: fail, authorize: fail }) // recoveryFailed
  await idempotency.run(call('stores'), fail, { onFailure: 'store' }).catch(ignore) // failed

  const gate = deferred<string>()
  const running = deferred<void>()
  const held = idempotency.run(call('held'), async () => {
    running.resolve()
    return gate.promise
  })
  await running.promise
  await idempotency.run(call('held'), () => 'charged').catch(ignore) // conflict
  pass(31_000)
  await idempotency.run(call('held'), () => 'charged') // takeover
  gate.resolve('charged late')
  await held // leaseLost

  const crash = deferred<never>()
  const begun = deferred<void>()
  const silent = idempotency.run(call('parks'), async () => {
    begun.resolve()
    return crash.promise
  })
  await begun.promise
  pass(31_000)
  await idempotency.run(call('parks'), () => 'charged', { onTakeover: 'park' }).catch(ignore) // parked
  crash.reject(new Error('crashed'))
  await silent.catch(ignore)

  // renewed: a machine may stall for longer than a short lease lasts
  const renewed = new Promise<void>((resolve) => {
    idempotency.on('renewed', () => resolve())
  })
  await idempotency.run(call('long'), () => renewed, { lease: '1500ms' })

  // unrecorded, storeUnavailable; the store stays down, else this would be recorded after all, some time later
  const done = () => {
    setDown(true)
    return 'charged'
  }
  await idempotency.run(call('lost'), done, { maxRun: '1s' })
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<T>((...settle) => {
    ;[resolve, reject] = settle
  })
  return { promise, resolve, reject }
}

function ignore(): void {}

function fail(): never {
  throw new Error('card declined')
}
