/** An application of one controller, on either platform. */
import 'reflect-metadata'
import type { AddressInfo } from 'node:net'
import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { createIdempotency, type Idempotency, type IdempotencyStore, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { afterEach } from 'vitest'
import { IdempotencyModule, type IdempotencyModuleOptions } from '../src/index.ts'

export const platforms = ['Express', 'Fastify'] as const
export type PlatformName = (typeof platforms)[number]

const running = new Set<INestApplication>()
afterEach(async () => {
  for (const app of running) await app.close()
  running.clear()
})

export interface NestApp {
  readonly operations: readonly string[]
  post(path: string, init?: RequestInit & { readonly key?: string | null }): Promise<Response>
}

interface Setup extends Partial<Omit<IdempotencyModuleOptions, 'idempotency'>> {
  readonly store?: IdempotencyStore<unknown>
  readonly providers?: ModuleMetadata['providers']
  configure?(app: INestApplication): void | Promise<void>
}

export async function nestApp(
  platform: PlatformName,
  controllers: readonly Type[],
  { store = memoryStore(), providers = [], configure, ...options }: Setup = {},
): Promise<NestApp> {
  const idempotency: Idempotency<unknown> = createIdempotency({ store, namespace: 'test' })
  const operations: string[] = []
  idempotency.on('completed', ({ operation }) => operations.push(operation))
  const module = await Test.createTestingModule({
    imports: [IdempotencyModule.forRoot({ idempotency, scope: unscoped, ...options })],
    controllers: [...controllers],
    providers,
  }).compile()
  const settings = { logger: false, rawBody: true, forceCloseConnections: true } as const
  const app =
    platform === 'Express'
      ? module.createNestApplication(settings)
      : module.createNestApplication(new FastifyAdapter({ forceCloseConnections: true }), settings)
  running.add(app)
  await configure?.(app)
  await app.listen(0, '127.0.0.1')
  const { port } = app.getHttpServer().address() as AddressInfo
  return {
    operations,
    post: (path, { key = 'k1', headers, ...init } = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        redirect: 'manual',
        headers: { ...(key !== null && { 'Idempotency-Key': key }), ...headers },
        ...init,
      }),
  }
}

export const json = (value: unknown) => ({
  body: JSON.stringify(value),
  headers: { 'Content-Type': 'application/json' },
})

/** All of an answer but what belongs to its moment and its connection. */
export async function seen(response: Response) {
  const { 'idempotency-replayed': replayed, date: _, ...headers } = Object.fromEntries(response.headers)
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'content-length']) delete headers[name]
  return { status: response.status, headers, body: Buffer.from(await response.arrayBuffer()).toString('hex'), replayed }
}
