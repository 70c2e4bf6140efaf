// A CommonJS program: `require` of the packages, as they are.
const assert = require('node:assert/strict')
const { createIdempotency } = require('@retryproof/core')
const { reduce } = require('@retryproof/core/store')
const { idempotent } = require('@retryproof/express')
const { memoryStore } = require('@retryproof/memory')

assert.equal(typeof reduce, 'function')
assert.equal(typeof idempotent, 'function')
const idempotency = createIdempotency({ store: memoryStore(), namespace: 'commonjs' })
const call = { operation: 'charge', scope: 'a', key: 'k' }
idempotency
  .run(call, () => ({ id: 1 }))
  .then(() => idempotency.run(call, () => ({ id: 2 })))
  .then(({ value, replayed }) => assert.deepEqual([value, replayed], [{ id: 1 }, true]))
