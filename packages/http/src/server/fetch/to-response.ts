/** Makes responses of Fetch from recorded answers and problems. */
import type { HeaderField, HttpResponse } from '../../protocol/exchange.ts'
import { forbidsBody } from '../../protocol/status.ts'

/**
 * Makes a response of a recorded answer, or of a problem.
 *
 * @param before headers that were set before the binding
 *
 * @example
 * import { toResponse } from '@retryproof/http/fetch'
 *
 * toResponse({ status: 201, headers: [['Location', '/charges/1']], body: new Uint8Array() })
 */
export function toResponse(
  { status, headers, removed = [], body }: HttpResponse,
  before: readonly HeaderField[] = [],
): Response {
  const names = headers.map(([name]) => name.toLowerCase())
  const isKept = ([name]: HeaderField) => !names.includes(name) && !removed.includes(name)
  const fields = [...before.filter(isKept), ...headers] as [string, string][]
  // a record, which @hono/node-server writes as it is, has each name once, and no default content type
  const hasType = names.includes('content-type')
  const isRecord = hasType && fields.length === new Set(names).size
  // an empty body has a length, and is given a content type where there is none
  const hasBody = !forbidsBody(status) && (hasType || body.length > 0)
  return new Response(hasBody ? (body as Uint8Array<ArrayBuffer>) : null, {
    status,
    headers: isRecord ? Object.fromEntries(fields) : fields,
  })
}

/**
 * Makes a response that says when the server begins to send it: from then on the framework is done with the request.
 *
 * @example
 * import { toldResponse } from '@retryproof/http/fetch'
 *
 * const body = new TextEncoder().encode('{"charged":100}')
 * toldResponse({ status: 201, headers: [], body }, () => console.log('The answer leaves.'))
 */
export function toldResponse({ body, ...head }: HttpResponse, onSending: () => void): Response {
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(body)
        controller.close()
        onSending()
      },
      cancel: onSending,
    },
    { highWaterMark: 0 },
  )
  const fields: HeaderField[] = [...head.headers, ['Content-Length', String(body.length)]]
  return new Response(stream, { status: head.status, headers: fields as [string, string][] })
}
