import { readFile } from 'node:fs/promises'
import {
  IdempotencyDrainingError,
  IdempotencyInProgressError,
  IdempotencyInvalidCallError,
  IdempotencyInvalidOptionError,
  IdempotencyKeyReusedError,
  IdempotencyLeaseLostError,
  IdempotencyMaxAttemptsError,
  IdempotencyNotReplayableError,
  IdempotencyOutcomeUnknownError,
  IdempotencyReplayedFailureError,
  IdempotencyUndecodableError,
  StoreClosedError,
  StoreMisconfiguredError,
  StoreUnavailableError,
  TransactionConflictError,
} from '@retryproof/core'
import { describe, expect, it } from 'vitest'
import { headerValues } from '../src/protocol/exchange.ts'
import { problemResponse } from '../src/protocol/problem-response.ts'
import { DOCS, problemFor, problems } from '../src/protocol/problems.ts'
import { Refusal } from '../src/protocol/refusal.ts'

const options = { docs: 'https://api.example.com/docs/idempotency', maxRetryAfterMs: 2000 }

const cases = [
  ['key-missing', new Refusal('key-missing', 'x'), 400, false],
  ['key-invalid', new IdempotencyInvalidCallError('key', 'x'), 400, false],
  ['body-invalid', new IdempotencyInvalidCallError('payload', 'x'), 400, false],
  ['in-progress', new IdempotencyInProgressError(900), 409, true],
  ['lease-lost', new IdempotencyLeaseLostError('x'), 409, true],
  ['outcome-unknown', new IdempotencyOutcomeUnknownError(), 409, false],
  ['not-replayable', new IdempotencyNotReplayableError('too-large'), 410, false],
  ['body-too-large', new Refusal('body-too-large', 'x'), 413, false],
  ['body-unsupported', new Refusal('body-unsupported', 'x'), 415, false],
  ['key-reused', new IdempotencyKeyReusedError(), 422, false],
  ['failed', new IdempotencyReplayedFailureError({ name: 'Error', message: 'secret' }), 500, false],
  ['failed', new IdempotencyMaxAttemptsError(3), 500, false],
  ['callback-refused', new Refusal('callback-refused', 'x'), 400, false],
  ['unauthenticated', new Refusal('unauthenticated', 'x'), 401, false],
  ['unknown-operation', new Refusal('unknown-operation', 'x'), 404, false],
  ['conflict', new TransactionConflictError('secret', { reason: 'conflict' }), 409, true],
  ['precondition-failed', new Refusal('precondition-failed', 'x'), 412, false],
  ['precondition-required', new Refusal('precondition-required', 'x'), 428, false],
  ['not-running', new Refusal('not-running', 'x'), 503, true],
  ['undecodable', new IdempotencyUndecodableError('secret'), 500, false],
  ['unavailable', new StoreUnavailableError('secret', { applied: 'no' }), 503, true],
  ['unavailable', new StoreClosedError('secret'), 503, true],
  ['draining', new IdempotencyDrainingError(), 503, true],
] as const

function responseFor(error: unknown) {
  const problem = problemFor(error, options)
  return problem && problemResponse(problem, undefined, options.docs)
}

const bodyOf = (error: unknown): unknown => JSON.parse(new TextDecoder().decode(responseFor(error)?.body))

describe('problems', () => {
  it.each(cases)('%s', (type, error, status, retryable) => {
    const response = responseFor(error)
    const headers = response?.headers ?? []
    expect(response?.status).toBe(status)
    expect(headerValues(headers, 'content-type')).toEqual(['application/problem+json'])
    expect(headerValues(headers, 'link')).toEqual([`<${options.docs}>; rel="describedby"`])
    expect(headerValues(headers, 'retry-after')).toHaveLength(retryable ? 1 : 0)
    expect(bodyOf(error)).toMatchObject({
      type: `${options.docs}#${type}`,
      title: expect.any(String),
      detail: expect.any(String),
      instance: expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/),
      status,
      retryable,
    })
    // CORS hides the header from a page of another origin
    const [retryAfter] = headerValues(headers, 'retry-after').map(Number)
    expect((bodyOf(error) as { retryAfter?: number }).retryAfter).toBe(retryAfter)
  })

  it('has one for each type', () => {
    expect(new Set(cases.map(([type]) => type))).toEqual(new Set(Object.keys(problems)))
  })

  it('has an address that exists: a heading of docs/problems.md', async () => {
    const page = await readFile(new URL('../../../docs/problems.md', import.meta.url), 'utf8')
    const sections = [...page.matchAll(/^## ([\w-]+)\n\n\*\*(\d+)\*\*(, `Retry-After`)?: (.+)\. "(.+)"$/gm)]
    expect(DOCS.endsWith('/docs/problems.md')).toBe(true)
    expect(
      sections.map(([, code, status, wait, title, advice]) => [
        code,
        Number(status),
        wait !== undefined,
        title,
        advice,
      ]),
    ).toEqual(
      Object.entries(problems).map(([code, { status, retryable, title, advice }]) => [
        code,
        status,
        retryable,
        title,
        advice,
      ]),
    )
  })

  it.each([1, 900, 1001, 30_000])('names the seconds of Retry-After in its detail: %i ms', (ms) => {
    const { detail, retryAfter } = bodyOf(new IdempotencyInProgressError(ms)) as Record<string, unknown>
    expect(detail).toContain(`Retry after ${retryAfter} s.`)
    expect(String(detail).match(/\d+/g)).toEqual([String(retryAfter)])
  })

  it('starts each title and advice with a noun or a verb', () => {
    for (const { title, advice } of Object.values(problems)) {
      for (const text of [title, advice]) expect(text).not.toMatch(/^(what|who|where|how|whether|which)/i)
    }
  })

  it.each([
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [900_000, '2'],
  ])('with %i ms of the lease left asks for another try after %s s', (ms, seconds) => {
    expect(headerValues(responseFor(new IdempotencyInProgressError(ms))?.headers ?? [], 'retry-after')).toEqual([
      seconds,
    ])
  })

  it('tells what is known of an answer that was not kept', () => {
    const error = new IdempotencyNotReplayableError('unreplayable', { status: 201, location: '/charges/1' })
    expect(bodyOf(error)).toMatchObject({ original: { status: 201, location: '/charges/1' } })
    expect(headerValues(responseFor(error)?.headers ?? [], 'location')).toEqual(['/charges/1'])
  })

  it('tells a client nothing of what is inside', () => {
    for (const [, error] of cases) expect(JSON.stringify(bodyOf(error))).not.toContain('secret')
  })

  it.each([
    ['a scope that cannot be used', new IdempotencyInvalidCallError('scope', 'x')],
    ['an operation that cannot be used', new IdempotencyInvalidCallError('operation', 'x')],
    ['an option', new IdempotencyInvalidOptionError('scope', 'x')],
    ['a store that needs its operator', new StoreMisconfiguredError('x')],
    ['any other error', new Error('x')],
    ['what is no error', 'x'],
  ])('leaves %s to the application', (_, error) => {
    expect(problemFor(error, options)).toBeUndefined()
  })
})
