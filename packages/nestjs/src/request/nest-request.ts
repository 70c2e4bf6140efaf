import type { IncomingHttpHeaders } from 'node:http'

/** Members of requests on both platforms. Options may name the platform's own: `scope: (request: Request) => …`. */
export interface NestRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  /** The user that the guards of the application found. */
  readonly user?: unknown
}
