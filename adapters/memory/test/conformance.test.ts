import { describeStore } from '@retryproof/conformance/vitest'
import { memoryStore } from '../src/index.ts'

describeStore('memory', { open: ({ now }) => memoryStore(now ? { now } : {}) })
