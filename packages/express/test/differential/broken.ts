/** Bindings with one thing wrong each, and the case of the differential suite that rejects them. */
import type { HttpOptions } from '@retryproof/http'
import express, { type Request, type RequestHandler, type Response } from 'express'
import type { Application } from '../../../../conformance/src/http/differential/application.ts'
import { describeThrown } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import { idempotent } from '../../src/index.ts'
import { expressApplication, type Idempotent } from './applications.ts'
import { type ExpressEnding, endingsFor } from './endings.ts'

export interface BrokenBinding {
  readonly name: string
  /** The ending and the error handler under which it is found out. */
  readonly rejectedBy: readonly [ending: string, errorHandler: string]
  readonly idempotent: Idempotent
}

type Given = (req: Request, res: Response, context: never) => unknown
type Guarding = Parameters<Idempotent>[0]
type Make = (idempotency: Guarding, options: HttpOptions<Request>, handler?: Given) => RequestHandler

const right = idempotent as unknown as Make

function broken(name: string, rejectedBy: string, make: Make): BrokenBinding {
  const [ending = '', errorHandler = 'none'] = rejectedBy.split(' | ')
  return { name, rejectedBy: [ending, errorHandler], idempotent: make as unknown as Idempotent }
}

/** Changes what the handler does to its response, before the guard sees it. */
const inside = (name: string, rejectedBy: string, change: (res: Response, req: Request) => void): BrokenBinding =>
  broken(name, rejectedBy, (idempotency, options, handler) => {
    const guard = right(
      idempotency,
      options,
      handler &&
        ((req, res, context) => {
          change(res, req)
          return handler(req, res, context)
        }),
    )
    return (req, res, next) =>
      guard(req, res, (error?: unknown) => {
        if (!error && !handler) change(res, req)
        next(error)
      })
  })

/** Changes what leaves, replays included. */
const outside = (name: string, rejectedBy: string, change: (res: Response, req: Request) => void): BrokenBinding =>
  broken(name, rejectedBy, (idempotency, options, handler) => {
    const guard = right(idempotency, options, handler)
    return (req, res, next) => {
      change(res, req)
      guard(req, res, next)
    }
  })

/** Changes a replay, when it is about to leave. */
const replaying = (name: string, rejectedBy: string, change: (res: Response) => void): BrokenBinding =>
  outside(name, rejectedBy, (res) => {
    const { end } = res
    res.end = ((...values: unknown[]) => {
      if (res.getHeader('idempotency-replayed')) change(res)
      return Reflect.apply(end, res, values)
    }) as never
  })

const withOptions = (name: string, rejectedBy: string, more: Partial<HttpOptions<Request>>): BrokenBinding =>
  broken(name, rejectedBy, (idempotency, options, handler) => right(idempotency, { ...options, ...more }, handler))

/** Does something else with what a handler that was given throws. */
const catching = (
  name: string,
  rejectedBy: string,
  onThrow: (error: unknown, res: Response) => unknown,
): BrokenBinding =>
  broken(name, rejectedBy, (idempotency, options, handler) =>
    right(
      idempotency,
      options,
      handler &&
        (async (req, res, context) => {
          try {
            await handler(req, res, context)
          } catch (error) {
            await onThrow(error, res)
          }
        }),
    ),
  )

/** Replaces one of the methods of a response. */
function replace<Name extends keyof Response>(name: Name, by: (res: Response, was: Response[Name]) => unknown) {
  return (res: Response) => {
    Object.assign(res, { [name]: by(res, res[name]) })
  }
}

/** An error that nobody handles. */
const rejectUnheard = () => void Promise.reject(new Error('nobody handles this'))

const errors: readonly BrokenBinding[] = [
  catching('sends what was thrown as an answer', 'throws a plain object | own-500', (error, res) => res.send(error)),
  catching('ends an answer for what was thrown', 'throws an Error | own-500', (_error, res) => res.end()),
  catching('answers by itself with 200', 'throws an Error | own-200', (error, res) =>
    res.json({ jsonrpc: '2.0', error: describeThrown(error) }),
  ),
  catching('makes an Error of whatever was thrown', 'throws a string | own-500', (error) => {
    throw new Error(String(error))
  }),
  catching('lets values that are no Errors go', 'throws a number | own-500', (error, res) => {
    if (error instanceof Error) throw error
    res.sendStatus(204)
  }),
  catching('looks into what was thrown', 'rejects with undefined | own-500', (error) => {
    Reflect.set(error as object, 'seen', true)
    throw error
  }),
  catching('changes what was thrown', 'throws a frozen object | own-500', (error) => {
    ;(error as { seen?: boolean }).seen = true
    throw error
  }),
  catching('throws where nobody waits', 'throws an Error | own-500', (error) => {
    rejectUnheard()
    throw error
  }),
  catching('never tells of a throw', 'throws an Error | none', () => {}),
]

const policies: readonly BrokenBinding[] = [
  withOptions('records server errors', 'response: answers 500', { record: 'all' }),
  withOptions('records 429', 'response: answers 429', { record: ({ status }) => status < 500 }),
  withOptions('records no 404', 'response: answers 404', { record: 'success' }),
  withOptions('commits what an error wrote', 'response: answers 404', { commitWhen: () => true }),
  withOptions('rolls back what a success wrote', 'json', { commitWhen: () => false }),
  withOptions('keeps nothing of an answer', 'json', { stream: true }),
  withOptions('keeps answers of any size', 'response: writes more than is kept', { maxResponseBytes: 10_000_000 }),
  broken('guards nothing', 'json', (_idempotency, _options, handler) => (req, res, next) => {
    if (handler) void handler(req, res, {} as never)
    else next()
  }),
]

const answers: readonly BrokenBinding[] = [
  outside('adds a header to first answers', 'json', (res) => res.setHeader('X-Guarded', '1')),
  inside(
    'never sends an answer without a body',
    'response: ends without a body',
    replace(
      'end',
      (res, end) =>
        (...values: unknown[]) =>
          values.length === 0 ? res : Reflect.apply(end, res, values),
    ),
  ),
  inside(
    'takes a callback for a body',
    'response: ends with a callback alone',
    replace(
      'end',
      (res, end) =>
        (...values: unknown[]) =>
          Reflect.apply(
            end,
            res,
            values.map((value) => (typeof value === 'function' ? '' : value)),
          ),
    ),
  ),
  inside(
    'forgets the encoding',
    'response: ends with an encoding',
    replace('end', (res, end) => (chunk?: unknown) => Reflect.apply(end, res, chunk === undefined ? [] : [chunk])),
  ),
  inside(
    'makes a text of bytes',
    'response: ends with bytes',
    replace(
      'end',
      (res, end) => (chunk?: unknown) => Reflect.apply(end, res, chunk === undefined ? [] : [String(chunk)]),
    ),
  ),
  inside(
    'never calls back',
    'response: waits for its writes',
    replace('write', (res, write) => (chunk: unknown) => Reflect.apply(write, res, [chunk])),
  ),
  inside(
    'never drains',
    'response: pipes a stream',
    replace('write', (res, write) => (chunk: unknown) => {
      Reflect.apply(write, res, [chunk])
      return false
    }),
  ),
  inside(
    'loses what is written before the end',
    'response: writes, then ends',
    replace('write', () => () => true),
  ),
  inside(
    'keeps the last cookie',
    'response: sets cookies',
    replace(
      'setHeader',
      (res, setHeader) => (name: string, value: unknown) =>
        Reflect.apply(setHeader, res, [name, Array.isArray(value) ? value.at(-1) : value]),
    ),
  ),
  inside(
    'writes names in lower case',
    'response: sets a header of Latin-1',
    replace(
      'setHeader',
      (res, setHeader) => (name: string, value: unknown) => Reflect.apply(setHeader, res, [name.toLowerCase(), value]),
    ),
  ),
  inside(
    'loses reasons',
    'response: writes a head with a reason',
    replace('writeHead', (res, writeHead) => (status: number) => Reflect.apply(writeHead, res, [status])),
  ),
  inside(
    'loses headers of a head',
    'response: redirects',
    replace('writeHead', (res, writeHead) => (status: number) => Reflect.apply(writeHead, res, [status])),
  ),
  inside(
    'swallows early hints',
    'response: sends early hints',
    replace('writeEarlyHints', () => () => {}),
  ),
  inside(
    'swallows 100',
    'response: says that it goes on',
    replace('writeContinue', () => () => {}),
  ),
  inside(
    'swallows trailers',
    'response: sends trailers',
    replace('addTrailers', () => () => {}),
  ),
  inside('says that nothing was sent', 'response: says whether its head was sent', (res) => {
    Object.defineProperty(res, 'headersSent', { value: false })
  }),
  inside('fails at a second end', 'response: ends twice', (res) => {
    const { end } = res
    res.end = ((...values: unknown[]) => {
      if (res.writableEnded) rejectUnheard()
      return Reflect.apply(end, res, values)
    }) as never
  }),
  inside('fails at a write after the end', 'response: writes after its end', (res) => {
    const { write } = res
    res.write = ((...values: unknown[]) => {
      if (res.writableEnded) rejectUnheard()
      return Reflect.apply(write, res, values)
    }) as never
  }),
  inside('fails where nobody waits for a header that is refused', 'sets a header that is refused', (res) => {
    const { setHeader } = res
    res.setHeader = ((name: string, value: string) => {
      if (/[^\0-\xff]/.test(value)) rejectUnheard()
      return setHeader.call(res, name, value)
    }) as never
  }),
]

const destroyed: readonly BrokenBinding[] = [
  inside('takes a destroyed answer for a complete one', 'response: destroys its answer', (res) => {
    res.destroy = (() => res.end()) as never
  }),
  inside('takes a destroyed answer for a client that left', 'response: destroys its answer', (res, req) => {
    res.destroy = (() => req.socket.resetAndDestroy()) as never
  }),
  inside('waits for a part that will never be whole', 'writes a part, then throws', (_res, req) => {
    const { socket } = req
    socket.destroy = (() => socket.resetAndDestroy()) as never
  }),
  inside('completes a part', 'response: destroys its answer after a part', (res) => {
    res.destroy = (() => res.end('...')) as never
  }),
]

const replays: readonly BrokenBinding[] = [
  replaying('replays with 200', 'json of a text', (res) => {
    res.statusCode = 200
  }),
  replaying('replays no type', 'json', (res) => res.removeHeader('Content-Type')),
  replaying('replays no empty header', 'response: sets an empty header', (res) => res.removeHeader('X-Empty')),
  replaying('replays a header more', 'json', (res) => res.setHeader('X-Guarded', '1')),
  replaying('does not say that it replays', 'json', (res) => res.removeHeader('Idempotency-Replayed')),
  outside('replays another body', 'response: ends with a text', (res) => {
    const { end } = res
    res.end = ((...values: unknown[]) =>
      Reflect.apply(end, res, res.getHeader('idempotency-replayed') ? ['other'] : values)) as never
  }),
  outside('answers 200 where nothing can be replayed', 'response: writes more than is kept', (res) => {
    const { end } = res
    res.end = ((...values: unknown[]) => {
      if (res.statusCode === 410) res.statusCode = 200
      return Reflect.apply(end, res, values)
    }) as never
  }),
]

export const brokenBindings: readonly BrokenBinding[] = [...errors, ...policies, ...answers, ...destroyed, ...replays]

const known = endingsFor(5)

/** An application with one guard of each, and the ending that it is rejected by. */
const endings: readonly ExpressEnding[] = brokenBindings.map(({ rejectedBy: [name] }) => {
  const ending = known.find((each) => each.name === name)
  if (!ending) throw new Error(`there is no ending '${name}'`)
  return { ...ending }
})

export const applications: readonly Application[] = [
  expressApplication('Broken bindings', express, endings, (index) => brokenBindings[index]?.idempotent ?? idempotent),
]
