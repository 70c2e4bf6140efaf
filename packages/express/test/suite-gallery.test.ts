/** Bindings with one thing wrong each, and the check of the suite that rejects them. */
import { randomUUID } from 'node:crypto'
import { bindingChecks } from '@retryproof/conformance/http'
import { unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { memoryStore } from '@retryproof/memory'
import type { Request, RequestHandler, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { clientOf } from '../../../conformance/src/http/client.ts'
import { idempotent } from '../src/index.ts'
import { type Binding, serve } from './serve.ts'

type Make = (idempotency: Parameters<Binding>[0], options: HttpOptions<Request>) => RequestHandler
type Change = (req: Request, res: Response) => void

const right = idempotent as Make
const TIMEOUT_MS = 120_000

const withOptions =
  (more: Partial<HttpOptions<Request>>): Make =>
  (idempotency, options) =>
    right(idempotency, { ...options, ...more })

/** Changes what happens behind the guard. */
const inside =
  (change: Change): Make =>
  (idempotency, options) => {
    const guard = right(idempotency, options)
    return (req, res, next) =>
      guard(req, res, (error?: unknown) => {
        if (!error) change(req, res)
        next(error)
      })
  }

/** Changes a replay, when it is about to leave. */
const replaying =
  (change: (res: Response) => void): Make =>
  (idempotency, options) => {
    const guard = right(idempotency, options)
    return (req, res, next) => {
      const { end } = res
      res.end = ((...values: unknown[]) => {
        if (res.getHeader('idempotency-replayed')) change(res)
        return Reflect.apply(end, res, values)
      }) as never
      guard(req, res, next)
    }
  }

const broken: readonly [check: string, name: string, make: Make][] = [
  ['time-out-in-progress', 'tells nobody that a handler is at work', withOptions({ problem: () => ({ status: 503 }) })],
  ['time-out-in-progress', 'lets a second handler run', withOptions({ key: () => randomUUID() })],
  ['time-out-answer', 'records no late answer', withOptions({ record: () => false })],
  ['time-out-failure', 'records the answer of a time-out', withOptions({ record: 'all' })],
  ['stacked-nearest', 'records by the rule of the guard further out', withOptions({ record: 'final' })],
  ['stacked-operations', 'has another key for each request', withOptions({ key: () => randomUUID() })],
  ['stacked-replay', 'forgets what the inner guard recorded', withOptions({ record: 'success' })],
  [
    'stacked-refusal',
    'knows nothing of guards further in',
    (idempotency, options) => {
      const guard = right(idempotency, options)
      return (req, res, next) => guard(Object.create(req) as Request, res, next)
    },
  ],
  ['replay-without', 'replays what was removed', replaying((res) => res.set('X-RateLimit-Remaining', '1'))],
  [
    'replay-compression-outside',
    'gives each header of a replay as a list',
    replaying((res) => res.setHeader('Content-Type', [String(res.getHeader('Content-Type'))])),
  ],
  ['replay-serialized', 'replays without the type', replaying((res) => res.removeHeader('Content-Type'))],
  ['disconnect-noticed', 'lets a second handler run for a client that left', withOptions({ record: () => false })],
  ['disconnect-failure', 'records the failure of a handler whose client left', withOptions({ record: 'all' })],
  ['disconnect-handler', 'records no answer for a client that left', withOptions({ record: () => false })],
  [
    'disconnect-stream',
    'ends the stream of a client that left',
    inside((req, res) => req.socket.once('close', () => res.destroy())),
  ],
  [
    'disconnect-closing',
    'forgets the answers that it holds when its server closes',
    inside((req) => {
      const { server } = req.socket as { readonly server?: object }
      if (server) Reflect.deleteProperty(server, 'closeIdleConnections')
    }),
  ],
  ['security-nobody', 'takes nobody for somebody', withOptions({ scope: unscoped })],
  ['security-scope-throws', 'takes a scope that throws for nobody', withOptions({ scope: () => '' })],
  ['body-query', 'looks at no query', withOptions({ fingerprint: (req) => req.body as unknown })],
  ['replay-cookies', 'replays cookies', replaying((res) => res.setHeader('Set-Cookie', 'session=1'))],
  ['outcome-throw', 'records what a throw answers', withOptions({ record: 'all' })],
  ['outcome-500', 'records server errors', withOptions({ record: 'all' })],
  ['outcome-404', 'records no refusals', withOptions({ record: 'success' })],
  ['route-operations', 'takes all routes for one', withOptions({ operation: 'same' })],
  ['route-users', 'takes all users for one', withOptions({ scope: unscoped })],
  ['route-options', 'takes any key for a strict one', withOptions({ syntax: 'lenient' })],
]

describe('broken bindings, each rejected by the check named for it', () => {
  it.each(broken)('%s: %s', { timeout: TIMEOUT_MS }, async (id, _name, make) => {
    const check = bindingChecks.find((each) => each.id === id)
    if (!check) throw new Error(`there is no check '${id}'`)
    const server = await serve(memoryStore(), undefined, make as Binding)
    try {
      await expect(check.run(clientOf(server))).rejects.toThrow()
    } finally {
      await server.close()
    }
  })
})
