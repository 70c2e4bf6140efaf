import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency'
import { CachePersistenceLayer } from '@aws-lambda-powertools/idempotency/cache'
import { Idempotency } from '@node-idempotency/core'
import { createClient } from 'redis'
import { type Json, LEASE_MS, type Opened, RETENTION_MS } from '../subject.ts'

type Storage = ConstructorParameters<typeof Idempotency>[0]

/** `@node-idempotency/core`: neither lease nor fencing; a key in progress is held for its whole retention. */
export function nodeIdempotency(storage: Storage, close?: () => Promise<void>): Opened {
  const idempotency = new Idempotency(storage)
  return {
    async run(key, payload, work) {
      const request = { method: 'POST', path: '/charges', headers: { 'idempotency-key': key }, body: { ...payload } }
      const known = await idempotency.onRequest(request)
      if (known) return known.body as Awaited<ReturnType<typeof work>>
      const body = await work()
      await idempotency.onResponse(request, { body: { ...body }, additional: {} })
      return body
    },
    ...(close && { close }),
  }
}

/** Powertools for AWS Lambda on Redis: a lease and no fencing. It compares no payloads: on Redis it loses their digest when a call ends. */
export async function powertools(url: string): Promise<Opened> {
  const client = await createClient({ url }).connect()
  const config = new IdempotencyConfig({ eventKeyJmesPath: 'key', expiresAfterSeconds: RETENTION_MS / 1000 })
  config.registerLambdaContext({ getRemainingTimeInMillis: () => LEASE_MS } as Parameters<
    IdempotencyConfig['registerLambdaContext']
  >[0])
  const run = makeIdempotent((_event: { readonly key: string }, work: () => Promise<Json>) => work(), {
    persistenceStore: new CachePersistenceLayer({ client }),
    config,
  })
  return {
    run: (key, payload, work) => run({ key, ...payload }, work),
    close: async () => client.destroy(),
  }
}
