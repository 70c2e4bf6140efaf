/** Handlers that answer with a Response of Fetch. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Ending } from '../application.ts'
import { describeAnswer, describedProgram, programOf } from './programs.ts'
import { thrownValues } from './thrown-values.ts'

export type FetchEnding = Ending<[request: Request]>

const answered = (name: string, handle: () => unknown, more: Partial<FetchEnding> = {}): FetchEnding => ({
  name,
  end: 'answered',
  handle,
  ...more,
})

const threw = (name: string, handle: () => unknown): FetchEnding => ({ name, end: 'threw', handle })

const utf8 = new TextEncoder()

/** A body of three pieces. */
function streamOf(failsAfter = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    async pull(controller) {
      await turn()
      if (at >= failsAfter) controller.error(new Error('declined'))
      else if (at === 3) controller.close()
      else controller.enqueue(utf8.encode(`piece ${at++};`))
    },
  })
}

function piecesOf(texts: readonly string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const text of texts) controller.enqueue(utf8.encode(text))
      controller.close()
    },
  })
}

const statuses = [200, 201, 203, 206, 207, 303, 400, 404, 418, 422, 429, 500, 503]

/** @param Response the global one, or that of another realm, which the servers do not recognize by its prototype */
function answersBy(Response: typeof globalThis.Response): readonly FetchEnding[] {
  return [
    ...statuses.map((status) => answered(`Response ${status}`, () => new Response('text', { status }))),
    ...[204, 205, 304].map((status) => answered(`Response ${status}`, () => new Response(null, { status }))),
    answered('a Response later', async () => {
      await turn()
      return new Response('late')
    }),
    answered('Response.json', () => Response.json({ a: 1 }, { status: 201 })),
    answered('Response.redirect', () => Response.redirect('http://a/elsewhere', 303)),
    answered('an empty Response', () => new Response()),
    answered('an empty text', () => new Response('')),
    answered('bytes', () => new Response(new Uint8Array([0, 255, 128]))),
    answered('a Blob', () => new Response(new Blob(['blob'], { type: 'text/x-blob' }))),
    answered('a form', () => new Response(new URLSearchParams({ a: '1' }))),
    answered('a stream', () => new Response(streamOf())),
    answered('a stream with a length', () => new Response(streamOf(), { headers: { 'Content-Length': '24' } })),
    answered('an empty stream', () => new Response(new ReadableStream({ start: (controller) => controller.close() }))),
    answered(
      'headers',
      () => new Response('text', { headers: { 'X-One': '1', 'X-Two': '2, 3', 'Content-Type': 'a/b' } }),
    ),
    answered('cookies', () => {
      const headers = new Headers({ 'X-One': '1' })
      headers.append('Set-Cookie', 'a=1')
      headers.append('Set-Cookie', 'b=2')
      return new Response('text', { headers })
    }),
    answered('a Response that was cloned', () => {
      const response = new Response('text')
      response.clone()
      return response
    }),
    answered('more than is kept', () => new Response('x'.repeat(1_500_000)), {
      unreplayable: ['before', 'given', 'transaction'],
    }),
    answered(
      'events',
      () => new Response(streamOf(), { headers: { 'Content-Type': 'text/event-stream' } }),
      // a transaction holds every answer until it commits
      { unreplayable: ['before', 'given'] },
    ),
  ]
}

const failures: readonly FetchEnding[] = [
  ...thrownValues.flatMap(({ name, make }): FetchEnding[] => [
    threw(`throws ${name}`, () => {
      throw make()
    }),
    threw(`rejects with ${name}`, async () => {
      await turn()
      throw make()
    }),
  ]),
  threw('a stream that fails at once', () => new Response(streamOf(0))),
  threw('a stream that fails midway', () => new Response(streamOf(2))),
]

/** Handlers of which no server may wait for the end. */
const silent: readonly FetchEnding[] = [
  { name: 'never answers', end: 'silent', handle: () => new Promise(() => {}), guarded: ['before', 'given'] },
]

/** Statuses that a Response with a body may not have. */
const bodiless = new Set([204, 205, 304])

const program: FetchEnding = {
  ...describedProgram,
  async handle(request) {
    const headers = new Headers()
    let status = 200
    const body = await describeAnswer(programOf(Object.fromEntries(request.headers)), {
      status: (given) => {
        status = given
      },
      setHeader: (name, values) => headers.set(name, values.join(', ')),
      appendHeader(name, values) {
        for (const each of values) headers.append(name, each)
      },
      removeHeader: (name) => headers.delete(name),
    })
    if (bodiless.has(status)) return new Response(null, { status, headers })
    return new Response(typeof body === 'string' ? body : piecesOf(body), { status, headers })
  },
}

/** Answers that a Response of another realm carries. */
export function foreignAnswers(Response: unknown): readonly FetchEnding[] {
  return answersBy(Response as typeof globalThis.Response)
}

export const fetchEndings: readonly FetchEnding[] = [...answersBy(Response), ...failures, ...silent, program]
