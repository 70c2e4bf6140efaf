/** Several guards on one handler. */
import 'reflect-metadata'
import { Controller, Post, Put, type Type, UseInterceptors } from '@nestjs/common'
import { APP_INTERCEPTOR, ExternalContextCreator } from '@nestjs/core'
import { createIdempotency, unscoped } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { describe, expect, it } from 'vitest'
import { idempotent, UseIdempotency } from '../src/index.ts'
import { nestApp, platforms } from './nest-app.ts'

const withoutKey = { 'Idempotency-Key': '' }

describe.each(platforms)('on %s', (platform) => {
  /** Statuses of a request without a key, and of two with one. */
  async function statusesOf(controller: Type, path: string, providers: object[] = [], method = 'POST') {
    const { post } = await nestApp(platform, [controller], { providers: providers as never })
    const statuses: unknown[] = [(await post(path, { method, headers: withoutKey })).status]
    for (let sent = 0; sent < 2; sent++) {
      const answer = await post(path, { method })
      statuses.push(answer.status, answer.headers.get('idempotency-replayed'), await answer.text())
    }
    return statuses
  }

  const idempotency = () => createIdempotency({ store: memoryStore(), namespace: 'nearest' })

  it('the options of the handler win over those of its class', async () => {
    let runs = 0
    @Controller('charges')
    @UseIdempotency({ key: () => undefined })
    class Charges {
      @Post()
      @UseIdempotency({ key: ({ headers }) => (headers['idempotency-key'] as string) || undefined, required: false })
      create() {
        return `run ${++runs}`
      }
    }
    expect(await statusesOf(Charges, '/charges')).toEqual([201, 201, null, 'run 2', 201, 'true', 'run 2'])
  })

  it('the options of the class win over those of the application', async () => {
    let runs = 0
    const instance = idempotency()
    @Controller('charges')
    @UseInterceptors(idempotent(instance, { scope: unscoped }))
    class Charges {
      @Post()
      create() {
        return `run ${++runs}`
      }
    }
    const everywhere = {
      provide: APP_INTERCEPTOR,
      useClass: idempotent(instance, { scope: () => 'all', key: () => 'x' }),
    }
    expect(await statusesOf(Charges, '/charges', [everywhere])).toEqual([400, 201, null, 'run 1', 201, 'true', 'run 1'])
  })

  it('a guard of the application keeps what the class does not guard', async () => {
    let runs = 0
    const instance = idempotency()
    @Controller('charges')
    @UseInterceptors(idempotent(instance, { scope: unscoped }))
    class Charges {
      @Put()
      replace() {
        return `run ${++runs}`
      }
    }
    const options = { scope: unscoped, methods: ['PUT'] } as const
    const everywhere = { provide: APP_INTERCEPTOR, useClass: idempotent(instance, options) }
    const statuses = await statusesOf(Charges, '/charges', [everywhere], 'PUT')
    expect(statuses).toEqual([400, 200, null, 'run 1', 200, 'true', 'run 1'])
  })

  it('guards of two operations both record', async () => {
    let runs = 0
    const instance = idempotency()
    @Controller('charges')
    @UseInterceptors(idempotent(instance, { scope: unscoped, operation: 'outer' }))
    class Charges {
      @Post()
      @UseInterceptors(idempotent(instance, { scope: unscoped, operation: 'inner' }))
      create() {
        return `run ${++runs}`
      }
    }
    expect(await statusesOf(Charges, '/charges')).toEqual([400, 201, null, 'run 1', 201, 'true', 'run 1'])
  })
})

describe('a handler that no HTTP request calls', () => {
  /** Calls `charge` of a provider as GraphQL and microservices of Nest do. */
  async function called(provider: Type<{ charge(): string }>, type: string, others: object[] = []): Promise<unknown> {
    let call = async (): Promise<unknown> => undefined
    await nestApp('Express', [], {
      providers: [provider, ...others] as never,
      configure(app) {
        const instance = app.get(provider)
        call = app
          .get(ExternalContextCreator)
          .create(instance, instance.charge, 'charge', undefined, undefined, undefined, undefined, undefined, type)
      },
    })
    return call()
  }

  const refused = {
    code: 'IDEMPOTENCY_INVALID_OPTION',
    message: expect.stringMatching(/Charges\.charge is called by (graphql|rpc|ws)\. .*idempotency\.run/),
  }

  it.each(['graphql', 'rpc', 'ws'])('of %s is refused where the guard stands on it, or on its class', async (type) => {
    let runs = 0
    class Work {
      charge() {
        return `run ${++runs}`
      }
    }
    class OnHandler extends Work {
      @UseIdempotency()
      override charge() {
        return super.charge()
      }
    }
    @UseIdempotency()
    class OnClass extends Work {}
    for (const provider of [OnHandler, OnClass]) {
      Object.defineProperty(provider, 'name', { value: 'Charges' })
      await expect(called(provider, type)).rejects.toMatchObject(refused)
    }
    expect(runs).toBe(0)
  })

  it('passes a guard of the application', async () => {
    class Charges {
      charge() {
        return 'charged'
      }
    }
    const instance = createIdempotency({ store: memoryStore(), namespace: 'nearest' })
    const everywhere = { provide: APP_INTERCEPTOR, useClass: idempotent(instance, { scope: unscoped }) }
    expect(await called(Charges, 'graphql', [everywhere])).toBe('charged')
  })
})
