import { validate } from '@readme/openapi-parser'
import { unscoped } from '@retryproof/core'
import { describe, expect, it } from 'vitest'
import { type DescribedOptions, describeIdempotency } from '../src/describe.ts'
import type { Notifier, StatusResource } from '../src/index.ts'
import { problems } from '../src/protocol/problems.ts'

const base: DescribedOptions<object> = { scope: unscoped, retention: '24h' }

const everything: DescribedOptions<object> = {
  ...base,
  methods: ['delete'],
  syntax: 'strict',
  required: false,
  requirePrecondition: true,
  respond: 'async',
  storeRequest: 'no',
  statusResource: {} as StatusResource<object>,
  webhook: {} as Notifier<object>,
  transaction: true,
  fingerprint: { pick: ['amount', 'customer.id'] },
  record: 'all',
  replayHeader: 'X-Replayed',
  docs: 'https://api.example.com/idempotency#top',
}

function documentOf(options: DescribedOptions<object>) {
  const { components, operation } = describeIdempotency(options).openapi
  return {
    openapi: '3.1.0',
    info: { title: 'test', version: '1' },
    paths: {
      '/charges': {
        post: { ...operation, responses: { '201': { description: 'Created' }, ...operation.responses } },
      },
    },
    components,
  }
}

describe('the OpenAPI fragment', () => {
  it.each([
    ['by default', base],
    ['of everything', everything],
    ['of a key from elsewhere', { ...base, key: () => 'k' }],
  ])('is valid %s', async (_, options) => {
    const result = await validate(structuredClone(documentOf(options)) as never)
    expect(result).toMatchObject({ valid: true })
  })

  it('is refused by the validator when it is not', async () => {
    const document = documentOf(base)
    const broken = { ...document, paths: { '/charges': { post: { parameters: 'none' } } } }
    expect(await validate(broken as never)).toMatchObject({ valid: false })
  })

  it('has each status that a client may see', () => {
    expect(Object.keys(describeIdempotency(base).openapi.operation.responses)).toEqual([
      '400',
      '409',
      '410',
      '413',
      '415',
      '422',
      '500',
      '503',
    ])
    expect(Object.keys(describeIdempotency(everything).openapi.operation.responses)).toEqual([
      '202',
      '400',
      '409',
      '410',
      '413',
      '422',
      '428',
      '500',
      '503',
    ])
  })
})

describe('the page', () => {
  it('has a heading for each problem type, of the same name as the fragment of its URI', () => {
    const headings = (options: DescribedOptions<object>) =>
      [...describeIdempotency(options).markdown.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading)
    const known = Object.keys(problems)
    for (const options of [base, everything]) {
      expect(headings(options).length).toBeGreaterThan(10)
      expect(headings(options).every((heading) => heading && known.includes(heading))).toBe(true)
    }
  })

  it('says what the draft wants said: the expiry of keys', () => {
    expect(describeIdempotency(base).markdown).toContain('kept for 1 day ')
    expect(describeIdempotency({ ...base, retention: '36h' }).markdown).toContain('kept for 36 hours ')
    expect(describeIdempotency({ ...base, retention: 1500 }).markdown).toContain('kept for 1500 ms ')
  })

  it('names the header that marks a replay, and the statuses that release the key', () => {
    expect(describeIdempotency(everything).markdown).toContain('`X-Replayed: true`')
    expect(describeIdempotency({ ...base, preset: 'stripe' }).markdown).toContain('`Idempotent-Replayed: true`')
    expect(describeIdempotency(base).markdown).toContain('except 207, 401, 403,')
  })

  it('says what counts as the same request', () => {
    expect(describeIdempotency(everything).markdown).toContain('the members `amount`, `customer.id` of the body')
    expect(describeIdempotency({ ...base, fingerprint: { omit: ['trace'] } }).markdown).toContain('but `trace`')
  })
})
