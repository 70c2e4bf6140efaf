/** Handlers of NestJS that answer by a decorator, and exceptions that answer by themselves. */
import * as common from '@nestjs/common'
import {
  type CallHandler,
  type ExecutionContext,
  Header,
  HttpCode,
  type NestInterceptor,
  Redirect,
  Render,
  Sse,
  StreamableFile,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common'
import { of } from 'rxjs'
import { map } from 'rxjs/operators'
import { streamOf } from '../../../../conformance/src/http/differential/endings/node-ending.ts'
import type { Platform } from '../app.ts'
import { filterOf } from './filter.ts'
import type { NestEnding } from './nest-ending.ts'

/** Answers on a route of its own. */
function decorated(
  name: string,
  decorators: readonly MethodDecorator[],
  handle: NestEnding['handle'],
  more: Partial<NestEnding> = {},
): NestEnding {
  return { name, end: 'answered', handle, decorators, path: 'decorated/', ...more }
}

/** Wraps what comes from the handler. */
class Envelope implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((data) => ({ data })))
  }
}

const teapot = filterOf(() => [418, { answer: 'by a filter of the method' }])

const answers: readonly NestEnding[] = [
  decorated('@HttpCode', [HttpCode(202)], () => ({ a: 1 })),
  decorated('@HttpCode 204', [HttpCode(204)], () => undefined),
  decorated('@Header', [Header('X-One', '1'), Header('Cache-Control', 'no-store')], () => 'text'),
  decorated('@Header with a function', [Header('X-One', () => '1')], () => 'text'),
  decorated('@Redirect', [Redirect('/elsewhere', 303)], () => undefined),
  decorated('@Redirect to what is returned', [Redirect()], () => ({ url: '/elsewhere', statusCode: 307 })),
  decorated('@Sse', [Sse('events')], () => of({ data: 'a' }, { data: { b: 1 }, id: '1', type: 'tick', retry: 1 }), {
    unreplayable: ['before'],
  }),
  decorated('@UseInterceptors', [UseInterceptors(new Envelope())], () => ({ a: 1 })),
  decorated('@UseInterceptors of an Observable', [UseInterceptors(new Envelope())], () => of(1, 2)),
  decorated('@UseFilters', [UseFilters(teapot)], () => ({ a: 1 })),
  {
    ...decorated('@UseFilters of a throw', [UseFilters(teapot)], () => {
      throw new Error('declined')
    }),
    end: 'threw',
  },
  decorated('@Header of a file', [Header('X-One', '1')], () => {
    return new StreamableFile(streamOf(), { type: 'text/csv', disposition: 'attachment; filename=a.csv', length: 24 })
  }),
]

/** On Fastify it takes a plug-in. */
const rendered = decorated('@Render', [Render('filter')], () => ({ name: 'it' }))

const exceptions = Object.entries(common)
  .filter(([name]) => name.endsWith('Exception') && name !== 'HttpException')
  .map(([name, exception]): NestEnding => {
    const Exception = exception as unknown as new () => Error
    return {
      name,
      end: 'threw',
      handle() {
        throw new Exception()
      },
    }
  })

export function decoratedEndings(platform: Platform): readonly NestEnding[] {
  return [...answers, ...(platform === 'Express' ? [rendered] : []), ...exceptions]
}
