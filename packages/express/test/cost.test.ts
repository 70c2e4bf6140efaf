/** Counts the cost of a request, and never times it: calls of the store, signals, and methods of the response. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import express, { type RequestHandler } from 'express'
import { afterEach, expect, test, vi } from 'vitest'
import { attemptOf, idempotent } from '../src/index.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

/** Counts while one request is served: from its first middleware until its response has left. */
async function served(handler: RequestHandler) {
  const store = memoryStore()
  const calls = [vi.spyOn(store, 'begin'), vi.spyOn(store, 'transition'), vi.spyOn(store, 'get')]
  const storages = vi.spyOn(AsyncLocalStorage.prototype, 'run')
  let signals = 0
  class Counted extends AbortController {
    constructor() {
      super()
      signals++
    }
  }
  const ownMethods: string[] = []
  const watch: RequestHandler = (_req, res, next) => {
    const before = Object.keys(res)
    vi.stubGlobal('AbortController', Counted)
    res.once('prefinish', () => {
      vi.unstubAllGlobals()
      ownMethods.push(
        ...Object.keys(res).filter((name) => !before.includes(name) && typeof Reflect.get(res, name) === 'function'),
      )
    })
    next()
  }
  const idempotency = createIdempotency({ store, namespace: 'cost', purge: false })
  const app = express().post('/', watch, express.json(), idempotent(idempotency, { scope: () => 'user_42' }), handler)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    close: () => server.close(),
    async send() {
      for (const call of [...calls, storages]) call.mockClear()
      signals = 0
      ownMethods.length = 0
      const init = {
        method: 'POST',
        headers: { 'Idempotency-Key': 'k1', 'Content-Type': 'application/json' },
        body: '{"b":1,"a":2}',
      }
      const answer = await fetch(`http://127.0.0.1:${port}/`, init)
      await answer.text()
      const [begin, transition, get] = calls.map((call) => call.mock.calls.length)
      return {
        status: answer.status,
        store: { begin, transition, get },
        signals,
        storages: storages.mock.calls.length,
        ownMethods: [...ownMethods],
      }
    },
  }
}

test('a fresh request makes no signal; a replay neither, and captures no response', async () => {
  const server = await served((_req, res) => void res.status(201).json({ charged: true }))
  try {
    const fresh = await server.send()
    expect(fresh).toMatchObject({ status: 201, store: { begin: 1, transition: 1, get: 0 }, signals: 0 })
    expect(fresh.ownMethods).toContain('end')
    expect(await server.send()).toEqual({
      status: 201,
      store: { begin: 1, transition: 0, get: 0 },
      signals: 0,
      storages: 0,
      ownMethods: [],
    })
  } finally {
    server.close()
  }
})

test('a handler that asks for its signal is given one', async () => {
  const server = await served((req, res) => void res.json({ aborted: attemptOf(req)?.signal.aborted }))
  try {
    expect(await server.send()).toMatchObject({ status: 200, signals: 1 })
  } finally {
    server.close()
  }
})

test('a response has no hidden class of its own for each property that is added, and the members that it had', async () => {
  setFlagsFromString('--allow-natives-syntax')
  const isFast = runInThisContext('(object) => %HasFastProperties(object)') as (object: object) => boolean
  const seen: unknown[] = []
  const server = await served((req, res) => {
    seen.push(isFast(req), isFast(res), Object.getOwnPropertyDescriptor(res, 'sendDate'), req.httpVersion)
    res.json({ charged: true })
  })
  try {
    expect(await server.send()).toMatchObject({ status: 200 })
    // V8 of Node 24 shares the classes
    const isShared = Number.parseInt(process.versions.v8, 10) >= 13
    const sendDate = { value: true, writable: true, enumerable: true, configurable: true }
    expect(seen).toEqual([isShared, isShared, sendDate, '1.1'])
  } finally {
    server.close()
  }
})
