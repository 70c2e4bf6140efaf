import { IdempotencyInvalidOptionError } from '@retryproof/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CurrentVersion, PreconditionError, precondition, preconditionFailed } from '../src/precondition.ts'
import { parseHttpDate, parseTags } from '../src/protocol/entity-tags.ts'
import { DOCS } from '../src/protocol/problems.ts'

type Headers = Record<string, string>

/** `versions`, or the status with which the request is refused. */
function outcome(headers: Headers, current?: CurrentVersion, required = false): unknown {
  try {
    return precondition({ headers }, current, { required }).versions
  } catch (error) {
    if (error instanceof PreconditionError) return error.status
    throw error
  }
}

const past = 'Sun, 06 Nov 1994 08:49:37 GMT'
const date = (ms: number) => ({ lastModified: new Date(Date.parse(past) + ms) })

describe('a precondition', () => {
  it.each<[string, Headers, CurrentVersion | undefined, unknown]>([
    ['none', {}, { etag: '"7"' }, undefined],
    ['If-Match with the current tag', { 'if-match': '"7"' }, { etag: '"7"' }, ['7']],
    ['If-Match with another', { 'if-match': '"6"' }, { etag: '"7"' }, 412],
    ['If-Match with several', { 'if-match': '"6", "7"' }, { etag: '"7"' }, ['6', '7']],
    ['If-Match with a comma inside', { 'if-match': '"a,b"' }, { etag: '"a,b"' }, ['a,b']],
    ['If-Match, weak on either side', { 'if-match': 'W/"7"' }, { etag: '"7"' }, 412],
    ['If-Match, weak on the other side', { 'if-match': '"7"' }, { etag: 'W/"7"' }, 412],
    ['If-Match, weak on both sides', { 'if-match': 'W/"7"' }, { etag: 'W/"7"' }, 412],
    ['If-Match: *', { 'if-match': '*' }, { etag: '"7"' }, 'any'],
    ['If-Match: * without a resource', { 'if-match': '*' }, { etag: null }, 412],
    ['If-Match without a resource', { 'if-match': '"7"' }, { etag: null }, 412],
    ['If-Match that cannot be read', { 'if-match': '7' }, { etag: '"7"' }, 412],
    ['If-Match where nothing is known yet', { 'if-match': '"6", "7"' }, undefined, ['6', '7']],
    ['If-Match, weak, where nothing is known yet', { 'if-match': 'W/"6"' }, undefined, 412],
    ['If-Match: * where nothing is known yet', { 'if-match': '*' }, undefined, 'any'],
    ['If-None-Match: * without a resource', { 'if-none-match': '*' }, { etag: null }, undefined],
    ['If-None-Match: * with a resource', { 'if-none-match': '*' }, { etag: '"7"' }, 412],
    ['If-None-Match: * with a dated resource', { 'if-none-match': '*' }, date(0), 412],
    ['If-None-Match: * where nothing is known yet', { 'if-none-match': '*' }, undefined, undefined],
    ['If-None-Match with the current tag', { 'if-none-match': '"7"' }, { etag: '"7"' }, 412],
    ['If-None-Match with the current tag, weakly', { 'if-none-match': 'W/"7"' }, { etag: '"7"' }, 412],
    ['If-None-Match with another', { 'if-none-match': '"6"' }, { etag: '"7"' }, undefined],
    ['If-None-Match that cannot be read', { 'if-none-match': '7' }, { etag: '"7"' }, 412],
    ['If-Unmodified-Since, not changed since', { 'if-unmodified-since': past }, date(0), undefined],
    ['If-Unmodified-Since, changed within its second', { 'if-unmodified-since': past }, date(999), undefined],
    ['If-Unmodified-Since, changed since', { 'if-unmodified-since': past }, date(1000), 412],
    ['If-Unmodified-Since that is no date', { 'if-unmodified-since': '1994-11-06' }, date(1000), undefined],
    ['If-Unmodified-Since where no date is known', { 'if-unmodified-since': past }, { etag: '"7"' }, undefined],
    [
      'If-Match before If-Unmodified-Since',
      { 'if-match': '"7"', 'if-unmodified-since': past },
      { etag: '"7"', ...date(1000) },
      ['7'],
    ],
    ['both kinds, of which one fails', { 'if-match': '"7"', 'if-none-match': '"7"' }, { etag: '"7"' }, 412],
  ])('%s', (_, headers, current, expected) => {
    expect(outcome(headers, current)).toEqual(expected)
  })

  it('may be required', () => {
    expect(outcome({}, { etag: '"7"' }, true)).toBe(428)
    expect(outcome({ 'if-none-match': '*' }, { etag: null }, true)).toBeUndefined()
    expect(outcome({ 'if-match': '"7"' }, { etag: '"7"' }, true)).toEqual(['7'])
  })

  it('is read from the requests of Fetch too', () => {
    const request = new Request('http://a/', { method: 'PUT', headers: { 'If-Match': '"7"' } })
    expect(precondition(request, { etag: '"7"' })).toEqual({ versions: ['7'] })
  })

  it('is read from headers that occur several times', () => {
    expect(precondition({ headers: { 'if-match': ['"6"', '"7"'] } }, { etag: '"7"' })).toEqual({ versions: ['6', '7'] })
  })

  it('is an error of the application when its own tag is none', () => {
    expect(() => outcome({ 'if-match': '"7"' }, { etag: '7' })).toThrow(IdempotencyInvalidOptionError)
  })

  it('that fails is a problem, and a status that frameworks know', () => {
    const error = preconditionFailed()
    expect(error).toMatchObject({ status: 412, statusCode: 412, expose: true, response: { status: 412 } })
    expect(JSON.parse(new TextDecoder().decode(error.response.body))).toMatchObject({
      type: `${DOCS}#precondition-failed`,
      retryable: false,
    })
  })

  it('never takes for the current version what is another', () => {
    const tag = fc.string({ unit: fc.constantFrom('a', 'b', ',', ' ', '\\'), maxLength: 4 })
    fc.assert(
      fc.property(fc.array(tag, { minLength: 1, maxLength: 3 }), tag, (named, current) => {
        const held = named.map((each) => each.replaceAll(' ', '!'))
        const now = current.replaceAll(' ', '!')
        const versions = outcome({ 'if-match': held.map((each) => `"${each}"`).join(', ') }, { etag: `"${now}"` })
        expect(versions).toEqual(held.includes(now) ? held : 412)
      }),
    )
  })
})

describe('what clients write', () => {
  it.each([
    ['"a"', 1],
    ['"a","b"', 2],
    ['"a" , W/"b",', 2],
    [', "a"', 1],
    ['""', 1],
    ['"a" "b"', undefined],
    ['"a', undefined],
    ['a"', undefined],
    ['w/"a"', undefined],
    ['"a"b"', undefined],
    ['', undefined],
  ])('entity tags %j', (text, count) => {
    expect(parseTags(text)?.length).toBe(count)
  })

  it.each([['Sun, 06 Nov 1994 08:49:37 GMT'], ['Sunday, 06-Nov-94 08:49:37 GMT'], ['Sun Nov  6 08:49:37 1994']])(
    'dates %j',
    (text) => {
      expect(parseHttpDate(text)).toBe(784_111_777_000)
    },
  )

  it('of any length is read at once', () => {
    const hostile = `${'"a",'.repeat(50_000)}x`
    expect(outcome({ 'if-match': hostile }, { etag: '"7"' })).toBe(412)
  })
})
