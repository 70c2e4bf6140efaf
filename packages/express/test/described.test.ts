/** Each status that a description lists for clients, provoked; and none but those. */
import { createIdempotency, type IdempotencyStore, StoreUnavailableError } from '@retryproof/core'
import { type DescribedOptions, describeIdempotency } from '@retryproof/http/describe'
import { statusResource } from '@retryproof/http/status'
import { memoryStore } from '@retryproof/memory'
import type { Request, RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { deferred, json, testApp, versions } from './app.ts'

describe.each(versions)('what a description says of %s', (_, express) => {
  it('is what clients see', async () => {
    let begin: IdempotencyStore['begin'] | undefined
    const inner = memoryStore()
    const store: IdempotencyStore = { ...inner, begin: (key, claim) => (begin ?? inner.begin)(key, claim) }
    const set = testApp(express, createIdempotency({ store, namespace: 'test', storeTimeout: 100 }))
    const scope = (req: Request) => (req.get('x-kind') === 'nobody' ? [] : 'ann')
    const status = statusResource<Request>(set.idempotency, {
      path: '/operations',
      scope,
      secret: 'sixteen random bytes',
    })
    const options: DescribedOptions<Request> = {
      scope,
      retention: '1h',
      requirePrecondition: true,
      onInProgress: 'accept',
      statusResource: status,
      maxRequestBytes: 1000,
    }
    const gate = deferred()
    const started = deferred()
    const handler: RequestHandler = async (req, res) => {
      if (req.get('x-kind') === 'slow') {
        started.resolve()
        await gate.promise
      }
      if (req.get('x-kind') === 'stream') res.type('text/event-stream')
      res.end('done')
    }
    set.app.post('/charges', set.guard(options), express.text({ type: '*/*' }), handler)
    // its handlers have next to no time, and duplicates wait for what becomes of that
    const hurried = { ...options, lease: 10, maxRun: 10, onTakeover: 'park', onInProgress: { wait: '10s' } } as const
    set.app.post('/hurried', set.guard(hurried), handler)
    const ask = async (key: string | null, kind: string, init: RequestInit = {}, path = '/charges') =>
      (await set.post(path, { ...init, key, headers: { 'If-Match': '"1"', 'X-Kind': kind, ...init.headers } })).status

    const seen = new Map<string, number>()
    seen.set('key missing', await ask(null, 'plain'))
    seen.set('nobody', await ask('a', 'nobody'))
    seen.set('no version', await ask('a', 'plain', { headers: { 'If-Match': '' } }))
    seen.set('body too large', await ask('b', 'plain', { body: 'x'.repeat(1001) }))
    const form = new FormData()
    form.set('a', '1')
    seen.set('multipart', await ask('c', 'plain', { body: form }))
    await ask('d', 'plain', json({ a: 1 }))
    seen.set('reused', await ask('d', 'plain', json({ a: 2 })))
    await ask('e', 'stream')
    seen.set('not kept', await ask('e', 'stream'))

    const slow = [ask('f', 'slow'), ask('f', 'slow', {}, '/hurried')]
    await started.promise
    seen.set('in progress', await ask('f', 'slow'))
    seen.set('interrupted', await ask('f', 'slow', {}, '/hurried'))
    gate.resolve()
    await Promise.all(slow)

    begin = async (key, claim) => ({ ...(await inner.begin(key, claim)), result: new Uint8Array([9]) })
    seen.set('undecodable', await ask('d', 'plain', json({ a: 1 })))
    begin = () => Promise.reject(new StoreUnavailableError('gone', { applied: 'no' }))
    seen.set('unavailable', await ask('g', 'plain'))

    expect(Object.fromEntries(seen)).toEqual({
      'key missing': 400,
      nobody: 401,
      'no version': 428,
      'body too large': 413,
      multipart: 415,
      reused: 422,
      'not kept': 410,
      'in progress': 202,
      interrupted: 409,
      undecodable: 500,
      unavailable: 503,
    })
    const described = Object.keys(describeIdempotency(options).openapi.operation.responses)
    expect([...new Set(seen.values())].map(String).sort()).toEqual(described.sort())
  })
})
