/** Commits that fail once Nest has its answer. */
import { Controller, Logger, Post } from '@nestjs/common'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { conflictError, failingCommits } from '../../../conformance/test/transactional-store.ts'
import { UseIdempotency } from '../src/index.ts'
import { nestApp, platforms } from './nest-app.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(platforms)('a commit that fails, with Nest on %s', (platform) => {
  const failure = new Error('duplicate key')
  const cases = [
    { name: 'by a conflict', error: conflictError(), status: 503, reported: [] },
    { name: 'by any other error', error: failure, status: 500, reported: [[failure]] },
  ]
  it.each(cases)(
    '$name is answered as such, and reported unless it is a conflict',
    async ({ error, status, reported }) => {
      @Controller()
      class Orders {
        @Post('orders')
        @UseIdempotency({ transaction: true })
        create() {
          return { done: true }
        }
      }
      const report = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => {})
      const { post } = await nestApp(platform, [Orders], { store: failingCommits(error) })
      const refused = await post('/orders')
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([status, status === 503 ? '1' : null])
      expect(report.mock.calls).toEqual(reported)
      expect((await post('/orders')).status).toBe(201)
    },
  )
})
