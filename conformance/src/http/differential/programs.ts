/** Handlers made at random: sequences of calls of Node's response. */
import type { ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { Ending } from './application.ts'
import type { NodeEnding } from './node-endings.ts'
import { thrownValues } from './thrown-values.ts'

export type Step =
  | { readonly does: 'status'; readonly status: number }
  | { readonly does: 'setHeader' | 'appendHeader'; readonly name: string; readonly values: readonly string[] }
  | { readonly does: 'removeHeader'; readonly name: string }
  | { readonly does: 'writeHead'; readonly status: number; readonly fields: Readonly<Record<string, string>> }
  | { readonly does: 'write' | 'end'; readonly text: string }
  | { readonly does: 'flushHeaders' | 'await' | 'destroy' | 'earlyHints' }
  | { readonly does: 'throw'; readonly value: number }

const HEADER = 'x-program'

// a head of 204 or 304 is a whole answer, even where its response is destroyed
const status = fc.constantFrom(200, 201, 205, 302, 400, 404, 429, 500, 503)
const name = fc.constantFrom('X-One', 'Set-Cookie', 'Vary', 'Content-Type')
const text = fc.constantFrom('', 'a', 'some text')
const value = fc.constantFrom('1', 'two', 'text/plain')

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constant('status' as const), status }),
  fc.record({
    does: fc.constantFrom('setHeader' as const, 'appendHeader' as const),
    name,
    values: fc.array(value, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ does: fc.constant('removeHeader' as const), name }),
  fc.record({ does: fc.constant('writeHead' as const), status, fields: fc.dictionary(name, value, { maxKeys: 2 }) }),
  fc.record({ does: fc.constantFrom('write' as const, 'end' as const), text }),
  fc.record({ does: fc.constantFrom('flushHeaders' as const, 'await' as const) }),
)
/** Hints are an error in the middle of an answer: they come first, if at all. */
const hints = fc.array(fc.constant<Step>({ does: 'earlyHints' }), { maxLength: 1 })

const last: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant('end' as const), text }) },
  fc.record({ does: fc.constant('destroy' as const) }),
)
const thrown: fc.Arbitrary<Step> = fc.record({
  does: fc.constant('throw' as const),
  value: fc.nat({ max: thrownValues.length - 1 }),
})

/** Programs that end in one way: nothing is destroyed or thrown after their answer is complete. */
export function programs(canThrow: boolean): fc.Arbitrary<readonly Step[]> {
  const ends = canThrow ? fc.oneof({ weight: 2, arbitrary: last }, thrown) : last
  return fc
    .tuple(hints, fc.array(step, { maxLength: 6 }), ends, fc.array(step, { maxLength: 2 }))
    .map(([first, before, end, after]) => [...first, ...before.filter(({ does }) => does !== 'end'), end, ...after])
}

/** The ending that such a program is. */
export function endingOf(ending: Ending, program: readonly Step[]): Ending {
  const deeds = program.map(({ does }) => does)
  const end = deeds.includes('throw') ? 'threw' : deeds.includes('destroy') ? 'destroyed' : 'answered'
  const ends = deeds.findIndex((deed) => deed === 'end' || deed === 'throw')
  const passes = deeds.slice(0, ends).includes('flushHeaders')
  return {
    ...ending,
    end,
    headers: { [HEADER]: JSON.stringify(program) },
    // a transaction holds every answer; an error after a part has left releases the key, whatever its status
    ...(passes && { [end === 'threw' ? 'released' : 'unreplayable']: ['before', 'given'] }),
  }
}

function run(res: ServerResponse, step: Step): void {
  if (step.does === 'status') res.statusCode = step.status
  else if (step.does === 'setHeader') res.setHeader(step.name, step.values)
  else if (step.does === 'appendHeader') res.appendHeader(step.name, step.values)
  else if (step.does === 'removeHeader') res.removeHeader(step.name)
  else if (step.does === 'writeHead') res.writeHead(step.status, step.fields)
  else if (step.does === 'write') res.write(step.text)
  else if (step.does === 'end') res.end(step.text)
  else if (step.does === 'flushHeaders') res.flushHeaders()
  else if (step.does === 'earlyHints') res.writeEarlyHints({ link: '</style.css>; rel=preload' })
  else if (step.does === 'destroy') res.destroy()
}

/** Answers as the request says. Errors of the response itself are caught, as careful handlers do. */
export function programEnding(canThrow: boolean): NodeEnding {
  return {
    name: 'runs a program',
    end: 'answered',
    program: { canThrow },
    async handle(res, req) {
      res.on('error', () => {})
      for (const step of JSON.parse(String(req.headers[HEADER])) as Step[]) {
        if (step.does === 'await') await turn()
        if (step.does === 'throw') throw thrownValues[step.value]?.make()
        try {
          run(res, step)
        } catch {}
      }
    },
  }
}
