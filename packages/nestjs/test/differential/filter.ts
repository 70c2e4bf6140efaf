/** Filters that answer on either platform. */
import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, type Type } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'

/** @param answer gives the status and the body for what was thrown */
export function filterOf(answer: (error: unknown) => [status: number, body: unknown]): Type<ExceptionFilter> {
  class Filter implements ExceptionFilter {
    private readonly host: HttpAdapterHost
    constructor(host: HttpAdapterHost) {
      this.host = host
    }
    catch(error: unknown, context: ArgumentsHost) {
      const { httpAdapter } = this.host
      const response = context.switchToHttp().getResponse<object>()
      if (httpAdapter.isHeadersSent(response)) return httpAdapter.end(response)
      const [status, body] = answer(error)
      httpAdapter.reply(response, body, status)
    }
  }
  Inject(HttpAdapterHost)(Filter, undefined, 0)
  Catch()(Filter)
  return Filter
}
