/** One handler of NestJS. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AbstractHttpAdapter } from '@nestjs/core'
import type { Ending } from '../../../../conformance/src/http/differential/application.ts'

/** The means by which a handler answers. */
export interface Replier {
  readonly adapter: AbstractHttpAdapter
  readonly response: object
  readonly raw: ServerResponse
  readonly request: IncomingMessage
}

export interface NestEnding extends Ending<[replier: Replier]> {
  /** Decorators of a method of its own. */
  readonly decorators?: readonly MethodDecorator[]
}
