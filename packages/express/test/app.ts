/** An app on a real socket, with a counter for what its handlers do. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { closedAfterEach } from '@retryproof/conformance/test-tools/closed-after-each'
import { createIdempotency, type Idempotency, unscoped } from '@retryproof/core'
import type { HttpOptions } from '@retryproof/http'
import { memoryStore } from '@retryproof/memory'
import express, { type Express, type Request, type RequestHandler } from 'express'
import express4 from 'express4'
import { type IdempotentHandler, idempotent } from '../src/index.ts'

export const versions: [string, typeof express][] = [
  ['Express 5', express],
  ['Express 4', express4],
]

export interface TestApp<Tx = unknown> {
  readonly app: Express
  readonly idempotency: Idempotency<Tx>
  /** `idempotent` for this app, unscoped unless told otherwise. */
  guard(options?: Partial<HttpOptions<Request>>, handler?: IdempotentHandler): RequestHandler
  post(path: string, init?: RequestInit & { key?: string | null }): Promise<Response>
  url(path: string): Promise<string>
  port(): Promise<number>
}

const servers = closedAfterEach()

export const newIdempotency = (): Idempotency<never> => createIdempotency({ store: memoryStore(), namespace: 'test' })

export function testApp<Tx = never>(
  framework: typeof express,
  idempotency: Idempotency<Tx> = newIdempotency() as Idempotency<unknown> as Idempotency<Tx>,
): TestApp<Tx> {
  const app = framework()
  const listen = async (): Promise<number> => {
    const server = app.listen(0, '127.0.0.1')
    servers.add(server)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  let listening: Promise<number> | undefined
  const port = () => {
    listening ??= listen()
    return listening
  }
  const url = async (path: string) => `http://127.0.0.1:${await port()}${path}`
  return {
    app,
    idempotency,
    port,
    url,
    guard: (options, handler) => idempotent(idempotency, { scope: unscoped, ...options }, handler),
    post: async (path, { key = 'k1', headers, ...init } = {}) =>
      fetch(await url(path), {
        method: 'POST',
        headers: { ...(key === null ? {} : { 'Idempotency-Key': key }), ...headers },
        ...init,
      }),
  }
}

/** A request with a JSON body. */
export const json = (value: unknown) => ({
  body: JSON.stringify(value),
  headers: { 'Content-Type': 'application/json' },
})

/** A promise that a test resolves itself. */
export function deferred<T = void>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
