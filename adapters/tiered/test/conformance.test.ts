import { describeStore } from '@retryproof/conformance/vitest'
import { memoryStore } from '@retryproof/memory'
import { lruCache, tieredStore } from '../src/index.ts'

describeStore('memory behind an LRU cache', {
  open: ({ now }) => {
    const durable = memoryStore(now ? { now } : {})
    return tieredStore({ cache: lruCache(), durable, ...(now ? { now } : {}) })
  },
})
