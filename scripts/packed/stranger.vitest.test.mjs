import { describeStore } from '@retryproof/conformance/vitest'
import { strangerStore } from './stranger-store.mjs'

describeStore('a stranger’s store', { open: ({ now }) => strangerStore({ now }) })
