import type { IncomingHttpHeaders } from 'node:http'

/** What requests of both platforms have. Options may name the platform's own: `scope: (request: Request) => …`. */
export interface NestRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  /** Whom the application's guards found. */
  readonly user?: unknown
}
