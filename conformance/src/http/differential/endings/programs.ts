/** Handlers made at random: sequences of calls of Node's response, or of steps that describe an answer to a framework. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { Ending, ProgramKind } from '../application.ts'
import type { NodeEnding } from './node-ending.ts'
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
const plainName = fc.constantFrom('x-one', 'vary', 'content-type')
const text = fc.constantFrom('', 'a', 'some text')
const value = fc.constantFrom('1', 'two', 'text/plain')

/** Steps that every framework can take. */
const described: readonly fc.Arbitrary<Step>[] = [
  fc.record({ does: fc.constant('status' as const), status }),
  fc.record({
    does: fc.constantFrom('setHeader' as const, 'appendHeader' as const),
    name,
    values: fc.array(value, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ does: fc.constant('removeHeader' as const), name }),
  fc.record({ does: fc.constantFrom('write' as const, 'end' as const), text }),
  fc.record({ does: fc.constant('await' as const) }),
]
const describedStep = fc.oneof(...described)
const step: fc.Arbitrary<Step> = fc.oneof(
  ...described,
  fc.record({
    does: fc.constant('writeHead' as const),
    status,
    // Node writes those with names in lower case as they are
    fields: fc.oneof(fc.dictionary(name, value, { maxKeys: 2 }), fc.dictionary(plainName, value, { maxKeys: 2 })),
  }),
  fc.record({ does: fc.constant('flushHeaders' as const) }),
)
/** Hints are an error in the middle of an answer: they come first, if at all. */
const hints = fc.array(fc.constant<Step>({ does: 'earlyHints' }), { maxLength: 1 })

const end = fc.record({ does: fc.constant('end' as const), text })
const destroy: fc.Arbitrary<Step> = fc.constant({ does: 'destroy' })
const thrown: fc.Arbitrary<Step> = fc.record({
  does: fc.constant('throw' as const),
  value: fc.nat({ max: thrownValues.length - 1 }),
})

/** Programs that end in one way: nothing is destroyed or thrown after their answer is complete. */
export function programs({ canThrow, isDescribed }: ProgramKind): fc.Arbitrary<readonly Step[]> {
  const steps = isDescribed ? describedStep : step
  const first = isDescribed ? fc.constant([]) : hints
  const last = fc.oneof(
    { weight: 8, arbitrary: end },
    ...(isDescribed ? [] : [{ weight: 2, arbitrary: destroy }]),
    ...(canThrow ? [{ weight: 4, arbitrary: thrown }] : []),
  )
  return fc
    .tuple(first, fc.array(steps, { maxLength: 6 }), last, fc.array(steps, { maxLength: 2 }))
    .map(([begin, before, ends, after]) => [...begin, ...before.filter(({ does }) => does !== 'end'), ends, ...after])
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
    // said of a program, it holds where that throws
    released: end === 'threw' ? (ending.released ?? []) : [],
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

/** Reads the program of a request. */
export function programOf(headers: IncomingHttpHeaders): readonly Step[] {
  return JSON.parse(String(headers[HEADER])) as Step[]
}

/** Answers as the request says. Errors of the response itself are caught, as careful handlers do. */
export function programEnding(canThrow: boolean): NodeEnding {
  return {
    name: 'runs a program',
    end: 'answered',
    program: { canThrow, isDescribed: false },
    async handle(res, req) {
      res.on('error', () => {})
      for (const each of programOf(req.headers)) {
        if (each.does === 'await') await turn()
        if (each.does === 'throw') throw thrownValues[each.value]?.make()
        try {
          run(res, each)
        } catch {}
      }
    },
  }
}

/** The means by which a framework is told the head of an answer. */
export interface HeadTarget {
  status(status: number): void
  setHeader(name: string, values: readonly string[]): void
  appendHeader(name: string, values: readonly string[]): void
  removeHeader(name: string): void
}

/** The body of a program: one text, or several pieces where it wrote before its end. */
export type DescribedBody = string | readonly string[]

/** Tells a framework the head of an answer, and gives its body. */
export async function describeAnswer(program: readonly Step[], target: HeadTarget): Promise<DescribedBody> {
  const pieces: string[] = []
  for (const each of program) {
    if (each.does === 'status') target.status(each.status)
    else if (each.does === 'setHeader') target.setHeader(each.name, each.values)
    else if (each.does === 'appendHeader') target.appendHeader(each.name, each.values)
    else if (each.does === 'removeHeader') target.removeHeader(each.name)
    else if (each.does === 'write') pieces.push(each.text)
    else if (each.does === 'await') await turn()
    else if (each.does === 'throw') throw thrownValues[each.value]?.make()
    else if (each.does === 'end') return pieces.length > 0 ? [...pieces, each.text] : each.text
  }
  return pieces
}

/** The members that all endings which describe an answer share. */
export const describedProgram = {
  name: 'runs a program that describes its answer',
  end: 'answered',
  program: { canThrow: true, isDescribed: true },
} as const
