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
import { type ProblemType, problemFor, problems } from '../src/protocol/problems.ts'
import { Refusal } from '../src/protocol/refusal.ts'
import { advice } from '../src/resources/describe/problem-advice.ts'

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

const bodyOf = (error: unknown): unknown => JSON.parse(new TextDecoder().decode(problemFor(error, options)?.body))

describe('problems', () => {
  it.each(cases)('%s', (type, error, status, retryable) => {
    const response = problemFor(error, options)
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

  it('has a heading in the documentation for each type', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    const sections = [...readme.matchAll(/^### (.+)\n(\d+)(, `Retry-After`)?\. (.+)$/gm)]
    expect(sections.map(([, type, status, wait, text]) => [type, Number(status), wait !== undefined, text])).toEqual(
      Object.entries(problems).map(([type, { status, retryable }]) => [
        type,
        status,
        retryable,
        advice[type as ProblemType],
      ]),
    )
  })

  it.each([
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [900_000, '2'],
  ])('with %i ms of the lease left asks for another try after %s s', (ms, seconds) => {
    expect(headerValues(problemFor(new IdempotencyInProgressError(ms), options)?.headers ?? [], 'retry-after')).toEqual(
      [seconds],
    )
  })

  it('tells what is known of an answer that was not kept', () => {
    const error = new IdempotencyNotReplayableError('unreplayable', { status: 201, location: '/charges/1' })
    expect(bodyOf(error)).toMatchObject({ original: { status: 201, location: '/charges/1' } })
    expect(headerValues(problemFor(error, options)?.headers ?? [], 'location')).toEqual(['/charges/1'])
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
