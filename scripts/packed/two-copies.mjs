// Two versions of the core in one process: `other-core` is the application's, `@retryproof/core` that of binding and store.
import { deepEqual, equal } from 'node:assert/strict'
import { createServer } from 'node:http'
import { createIdempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import { memoryStore } from '@retryproof/memory'
import express from 'express'
import * as other from 'other-core'
import { StoreUnavailableError } from 'other-core/store'

const { version } = await import('other-core/package.json', { with: { type: 'json' } }).then((json) => json.default)
equal(version, '0.0.1', 'the other core is another version')

const idempotency = other.createIdempotency({ store: memoryStore(), namespace: 'two' })
let runs = 0
const app = express()
app.use(express.json())
app.post('/pay', idempotent(idempotency, { scope: () => 'a' }), (_req, res) => {
  runs++
  res.status(runs === 1 ? 503 : 201).json({ runs })
})
app.post('/open', idempotent(idempotency, { scope: other.unscoped }), (_req, res) => res.json({ open: true }))
const server = createServer(app).listen(0)
const post = (path, body) =>
  fetch(`http://127.0.0.1:${server.address().port}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': '"k"' },
    body: JSON.stringify(body),
  })
equal((await post('/pay', { amount: 1 })).status, 503, 'a 503 stays a 503')
equal((await post('/pay', { amount: 1 })).status, 201, 'and releases the key')
equal((await post('/pay', { amount: 2 })).status, 422, 'a key that is reused is a 422')
equal((await post('/open', {})).status, 200, '`unscoped` of the other copy')

const away = {
  ...memoryStore(),
  begin: async () => {
    throw new StoreUnavailableError('away', { applied: 'no' })
  },
}
const call = { operation: 'x', scope: 'a', key: 'k' }
const failing = createIdempotency({ store: away, namespace: 'two', storeTimeout: 300 })
const { code, applied } = await failing.run(call, () => 1).catch((error) => error)
deepEqual([code, applied], ['IDEMPOTENCY_STORE_UNAVAILABLE', 'no'], "`applied: 'no'` stays 'no'")

const mixed = createIdempotency({ store: memoryStore(), namespace: 'mixed' })
const released = await mixed.run(call, () => other.release('later'))
deepEqual([released.value, released.recorded], ['later', false], '`release` of the other copy')
await mixed.run(call, () => other.unreplayable('once'))
const replayed = await mixed.run(call, () => 2).catch((error) => error)
equal(replayed.code, 'IDEMPOTENCY_NOT_REPLAYABLE', '`unreplayable` of the other copy')
const declined = { ...call, key: 'declined' }
const fails = () => {
  throw other.terminal(new Error('declined'))
}
equal((await mixed.run(declined, fails).catch((error) => error)).message, 'declined')
equal((await mixed.run(declined, () => 2).catch((error) => error)).message, 'declined', '`terminal` of the other copy')
server.close()
