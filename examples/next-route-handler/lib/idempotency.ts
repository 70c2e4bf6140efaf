import { createIdempotency, type Idempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'

/** One for all routes of the process, which Next bundles each on its own. Take the store of a database where there are several processes. */
const shared = globalThis as { idempotency?: Idempotency }
shared.idempotency ??= createIdempotency({ store: memoryStore(), namespace: 'payments' })

export const idempotency: Idempotency = shared.idempotency
