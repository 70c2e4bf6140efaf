// Tests the core on every runtime, with nothing but what the language and the web platform have.
import { createIdempotency, release, unscoped } from '@retryproof/core'
import { reduce } from '@retryproof/core/store'

/** The smallest store there is: a Map and `reduce`. */
function mapStore() {
  const records = new Map()
  const apply = async (key, command) => {
    const { record, reply } = reduce(records.get(key) ?? null, command, Math.floor(Date.now() * 1000))
    if (record) records.set(key, record)
    return reply
  }
  return {
    keys: () => [...records.keys()],
    capabilities: { clock: 'host', durable: false, shared: 'process', transactional: false, maxValueBytes: 1e6 },
    begin: (key, claim) => apply(key, { op: 'begin', claim }),
    transition: (key, token, change) => apply(key, { op: 'transition', token, change }),
    get: (key) => apply(key, { op: 'get' }),
  }
}

function equal(actual, expected, what) {
  const [left, right] = [actual, expected].map((value) => JSON.stringify(value))
  if (left !== right) throw new Error(`${what}: expected ${right}, got ${left}`)
}

async function codeOf(promise) {
  return promise.then(
    () => 'no error',
    (error) => error.code ?? error.message,
  )
}

/** Throws where the core does not do what it should; gives back what it checked. */
export async function smoke() {
  const store = mapStore()
  const secret = 'a secret of sixteen bytes or more'
  const idempotency = createIdempotency({ store, namespace: 'smoke', secret, lease: '1s' })
  const call = {
    operation: 'POST /charges',
    scope: ['tenant', 'user'],
    key: 'k',
    payload: { amount: 1, currency: 'EUR' },
  }
  let runs = 0
  const charge = async ({ keyFor, signal }) => {
    runs++
    await new Promise((resolve) => setTimeout(resolve, 20))
    return { charged: true, aborted: signal.aborted, derived: keyFor('provider') }
  }

  const [first, conflict, waited] = await Promise.all([
    idempotency.run(call, charge),
    codeOf(idempotency.run(call, charge)),
    idempotency.run(call, charge, { onInProgress: { wait: '5s' } }),
  ])
  const replay = await idempotency.run({ ...call, payload: { currency: 'EUR', amount: 1 } }, charge)
  equal(runs, 1, 'executions')
  equal(conflict, 'IDEMPOTENCY_IN_PROGRESS', 'a duplicate at the same time')
  equal([first.replayed, waited.replayed, replay.replayed], [false, true, true], 'replayed')
  equal(replay.value, first.value, 'the value of a replay')
  equal(await codeOf(idempotency.run({ ...call, payload: {} }, charge)), 'IDEMPOTENCY_KEY_REUSED', 'another payload')
  equal(await codeOf(idempotency.run({ ...call, scope: '' }, charge)), 'IDEMPOTENCY_INVALID_CALL', 'an empty scope')
  equal(
    store.keys(),
    ['smoke.post-charges.092385ecd695b136db836c72b8d07efea8944535b81c1df71fed88b7db07c810'],
    'the storage key, the same on every runtime',
  )
  const failing = () => Promise.reject(new Error('declined'))
  const other = { ...call, scope: unscoped }
  equal(await codeOf(idempotency.run(other, failing)), 'declined', 'a failure')
  equal((await idempotency.run(other, () => release('later'))).value, 'later', 'handed back')
  equal(
    (await idempotency.run(other, (attempt) => attempt.number)).value,
    3,
    'the attempt after a failure and a hand-back',
  )
  equal(await idempotency.drain({ timeout: '1s' }), { unfinished: 0 }, 'drain')
  return `${runs} execution of 4 calls, key ${store.keys()[0]}`
}
