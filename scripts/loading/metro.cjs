// Bundles the client with Metro, as React Native does, and runs the bundle where there is no Web Crypto.
const assert = require('node:assert/strict')
const { writeFileSync } = require('node:fs')
const vm = require('node:vm')
const Metro = require('metro')

const program = `
import { createIdempotentFetch } from '@retryproof/client'
import { asyncStorage } from '@retryproof/client/async-storage'
const texts = new Map()
const storage = asyncStorage({
  getItem: async (name) => texts.get(name) ?? null,
  setItem: async (name, value) => void texts.set(name, value),
  removeItem: async (name) => void texts.delete(name),
})
globalThis.client = (options) => createIdempotentFetch({ storage, ...options })
globalThis.withoutStorage = createIdempotentFetch
`

async function main() {
  writeFileSync('metro-app.js', program)
  const config = await Metro.loadConfig({ cwd: process.cwd(), projectRoot: process.cwd() })
  const metro = Metro.mergeConfig(config, {
    transformer: { babelTransformerPath: require.resolve('@react-native/metro-babel-transformer') },
    reporter: { update() {} },
    watcher: { watchman: { enabled: false } },
  })
  const { code } = await Metro.runBuild(metro, { entry: 'metro-app.js', platform: 'ios', out: undefined, write: false })
  const known = {
    fetch,
    AbortController,
    AbortSignal,
    Headers,
    Request,
    Response,
    FormData,
    TextEncoder,
    URL,
    performance,
  }
  const app = { ...known, console, setTimeout, clearTimeout, queueMicrotask, navigator: { product: 'ReactNative' } }
  vm.runInNewContext(code, app)
  assert.throws(() => app.withoutStorage(), /asyncStorage/)
  const sent = []
  const client = app.client({
    async fetch(request) {
      sent.push(request)
      return new Response('{}', { status: 201 })
    },
  })
  const pay = () => client.fetch('https://shop.example/', { intent: 'cart', body: '{}' })
  await assert.rejects(pay(), /react-native-quick-crypto/)
  assert.equal(sent.length, 0)
  app.crypto = crypto
  await pay()
  await pay()
  assert.equal(sent.length, 2)
  assert.equal(sent[0].headers.get('Idempotency-Key'), sent[1].headers.get('Idempotency-Key'))
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
