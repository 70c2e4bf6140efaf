// Loads each entry by `require` and by `import`: each gives the same names, and where Node can, the same objects.
const assert = require('node:assert/strict')
const { entries } = require('./entries.json')

async function load() {
  for (const entry of entries) {
    const required = require(entry)
    const imported = await import(entry)
    assert.deepEqual(namesOf(required), namesOf(imported), entry)
    for (const name of namesOf(required)) assert.equal(required[name], imported[name], `${entry}: ${name} exists twice`)
  }
  await answerOnce()
  console.log(`${entries.length} entries`)
}

function namesOf(module) {
  return Object.keys(module)
    .filter((name) => name !== 'default' && name !== '__esModule')
    .sort()
}

async function answerOnce() {
  const { createIdempotency } = require('@retryproof/core')
  const { memoryStore } = require('@retryproof/memory')
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'loading' })
  const call = { operation: 'charge', scope: 'a', key: 'k' }
  await idempotency.run(call, () => ({ id: 1 }))
  const { value, replayed } = await idempotency.run(call, () => ({ id: 2 }))
  assert.deepEqual([value, replayed], [{ id: 1 }, true])
}

void load()
