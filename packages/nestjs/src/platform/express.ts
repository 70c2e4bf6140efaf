/** Requests on the Express platform. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendResponse } from '@retryproof/http/node'
import { muteWrites, type NativeRequest, type Platform } from './platform.ts'

interface ExpressRequest extends NativeRequest {
  readonly originalUrl: string
  /** Prefix that applications in front have cut off. */
  readonly baseUrl: string
  readonly route: { readonly path: unknown }
}

export function onExpress(req: IncomingMessage, res: ServerResponse): Platform {
  const native = req as unknown as ExpressRequest
  const { statusCode } = res
  return {
    native,
    req,
    res,
    target: native.originalUrl,
    pattern: native.baseUrl + String(native.route.path),
    send: (response) => sendResponse(res, response),
    note() {},
    recordable: (answer) => answer,
    reset: () => Object.assign(res, { statusCode }),
    mute: () => muteWrites(res),
  }
}
