// a module of the client that is imported on the server: it has to begin with 'use client'
import * as hooks from '@retryproof/client/react'
import { createIdempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/http/fetch'
import { memoryStore } from '@retryproof/memory'

const idempotency = createIdempotency({ store: memoryStore(), namespace: 'next' })
let charges = 0

export const POST = idempotent(idempotency, { scope: () => 'ann', operation: 'charge' }, () =>
  Response.json({ charge: ++charges, hooks: Object.keys(hooks).length > 0 }, { status: 201 }),
)
