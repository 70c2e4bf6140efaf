/** Handlers of NestJS. */
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { BadRequestException, HttpException, NotFoundException, StreamableFile } from '@nestjs/common'
import { of, throwError } from 'rxjs'
import type { Application } from '../../../../conformance/src/http/differential/application.ts'
import { streamOf } from '../../../../conformance/src/http/differential/endings/node-ending.ts'
import {
  http2Endings,
  nodeEndings,
  onNode,
} from '../../../../conformance/src/http/differential/endings/node-endings.ts'
import {
  describeAnswer,
  describedProgram,
  programEnding,
  programOf,
} from '../../../../conformance/src/http/differential/endings/programs.ts'
import { thrownValues } from '../../../../conformance/src/http/differential/endings/thrown-values.ts'
import type { Platform } from '../app.ts'
import { decoratedEndings } from './decorated.ts'
import type { NestEnding, Replier } from './nest-ending.ts'

const answered = (name: string, handle: NestEnding['handle'], more: Partial<NestEnding> = {}): NestEnding => ({
  name,
  end: 'answered',
  handle,
  ...more,
})

const threw = (name: string, handle: NestEnding['handle']): NestEnding => ({ name, end: 'threw', handle })

const fileOf = (failsAfter?: number) => new StreamableFile(streamOf(failsAfter))

const returned: readonly NestEnding[] = [
  answered('returns an object', () => ({ a: 1 })),
  answered('returns a list', () => [1]),
  answered('returns a text', () => 'text'),
  answered('returns a boolean', () => false),
  answered('returns null', () => null),
  answered('returns nothing', () => undefined),
  answered('returns a promise', async () => {
    await turn()
    return { late: true }
  }),
  answered('returns an Observable', () => of({ first: true }, { last: true })),
  answered('returns a file', () => fileOf()),
  answered('returns a file of bytes', () => new StreamableFile(Buffer.from('bytes'), { type: 'text/x-bytes' })),
  answered('sets a status', ({ adapter, response }) => {
    adapter.status(response, 201)
    return { made: true }
  }),
  answered('sets headers', ({ adapter, response }) => {
    adapter.setHeader(response, 'X-One', '1')
    return 'text'
  }),
  answered('answers 204', ({ adapter, response }) => {
    adapter.status(response, 204)
  }),
  answered('answers 404', ({ adapter, response }) => {
    adapter.status(response, 404)
    return { error: 'none' }
  }),
]

/** Answers by the adapter of the platform. */
const adapted: readonly NestEnding[] = [
  answered('replies', ({ adapter, response }) => adapter.reply(response, { a: 1 }, 201)),
  answered('replies a text', ({ adapter, response }) => adapter.reply(response, 'text', 200)),
  answered('replies a file', ({ adapter, response }) => adapter.reply(response, fileOf(), 200)),
  answered('ends', ({ adapter, response }) => adapter.end(response, 'text')),
  answered('redirects by the adapter', ({ adapter, response }) => adapter.redirect(response, 303, '/elsewhere')),
  answered('appends headers by the adapter', ({ adapter, response }) => {
    adapter.setHeader(response, 'X-One', '1')
    adapter.appendHeader?.(response, 'X-Two', '2')
    adapter.reply(response, { isSent: adapter.isHeadersSent(response) }, 200)
  }),
]

const failures: readonly NestEnding[] = [
  ...thrownValues.map(({ name, make }) =>
    threw(`throws ${name}`, async () => {
      await turn()
      throw make()
    }),
  ),
  threw('a BadRequestException', () => {
    throw new BadRequestException('bad')
  }),
  threw('a NotFoundException', () => {
    throw new NotFoundException()
  }),
  threw('an HttpException with an object', () => {
    throw new HttpException({ code: 'declined' }, 402)
  }),
  threw('an HttpException below 400', () => {
    throw new HttpException({ fine: true }, 200)
  }),
  threw('an Observable that fails', () => throwError(() => new Error('declined'))),
  threw('sets headers, then throws', ({ adapter, response }) => {
    adapter.setHeader(response, 'X-One', '1')
    throw new Error('declined')
  }),
  threw('a file that fails at once', () => fileOf(0)),
  threw('a file that fails midway', () => fileOf(2)),
]

/** Both platforms know `header` and `removeHeader` of a response, by names of their own. */
interface NestResponse {
  status(status: number): void
  header(name: string, value: string): void
  removeHeader(name: string): void
  getHeader(name: string): unknown
}

const program: NestEnding = {
  ...describedProgram,
  async handle({ response: given, request }) {
    const response = given as NestResponse
    const body = await describeAnswer(programOf(request.headers), {
      status: (status) => response.status(status),
      setHeader(name, values) {
        response.removeHeader(name)
        response.header(name, values.join(', '))
      },
      appendHeader(name, values) {
        const before = response.getHeader(name)
        response.removeHeader(name)
        response.header(name, [before ?? [], ...values].flat().join(', '))
      },
      removeHeader: (name) => response.removeHeader(name),
    })
    return typeof body === 'string' ? body : new StreamableFile(Readable.from(body, { objectMode: false }))
  },
}

export function nestEndings(platform: Platform, protocol: Application['protocol']): NestEnding[] {
  const endings = protocol === 'HTTP/2' ? http2Endings : [...nodeEndings, programEnding(false)]
  const past = onNode<[Replier]>(endings, ({ raw, request, response }) => {
    if (platform === 'Fastify') (response as { hijack(): void }).hijack()
    return [raw, request]
  })
  return [
    ...returned,
    // a client of HTTP/2 takes what was cut for complete
    ...failures.filter(({ name }) => protocol === 'HTTP/1.1' || name !== 'a file that fails midway'),
    ...decoratedEndings(platform),
    ...(protocol === 'HTTP/1.1' ? [program] : []),
    // these take the response to themselves
    ...[...adapted, ...past].map((ending): NestEnding => ({ ...ending, path: 'call/' })),
  ]
}
