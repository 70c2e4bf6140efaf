import { test } from 'node:test'
import { checks, ruledOut } from '@retryproof/conformance'
import { strangerStore } from './stranger-store.mjs'

const harness = { open: ({ now }) => strangerStore({ now }) }

for (const check of checks) {
  test(`${check.id}: ${check.title}`, async (context) => {
    const reason = await ruledOut(check, harness)
    if (reason) return context.skip(reason)
    await check.run(harness)
  })
}
