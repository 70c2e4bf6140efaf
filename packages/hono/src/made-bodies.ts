/** Notes the bodies of which a context makes responses: reading them back from a response costs more than all the rest. */
import type { MadeBody } from '@retryproof/http/fetch'
import type { Context } from 'hono'

type Make = (body: unknown, ...rest: unknown[]) => Response
type MakeHtml = (body: unknown, ...rest: unknown[]) => Response | Promise<Response>

/** The last response that a context made. */
export interface MadeResponse {
  response: Response | undefined
  /** Gives its body; `undefined` for any other response, and for a stream. */
  bodyOf(response: unknown): MadeBody | undefined
}

export function noteBodies(c: Context): MadeResponse {
  const make = c.body as Make
  const newResponse = c.newResponse as Make
  const text = c.text as Make
  const html = c.html as MakeHtml
  const json = c.json as Make
  let made: MadeBody | undefined
  const last: MadeResponse = {
    response: undefined,
    bodyOf: (response) => (response === last.response ? made : undefined),
  }

  function note(response: Response, body: unknown): Response {
    last.response = response
    made = keep(body)
    return response
  }

  Object.assign(c, {
    body: (body: unknown, ...rest: unknown[]) => note(make(body, ...rest), body),
    newResponse: (body: unknown, ...rest: unknown[]) => note(newResponse(body, ...rest), body),
    text: (body: unknown, ...rest: unknown[]) => note(text(body, ...rest), body),
    html(body: unknown, ...rest: unknown[]) {
      const response = html(body, ...rest)
      return response instanceof Response ? note(response, body) : response
    },
    // as `json` does it, with the text in hand
    json(value: unknown, init: unknown, headers?: object) {
      const body = JSON.stringify(value)
      jsonType ??= json(null).headers.get('content-type') ?? 'application/json'
      return note(make(body, init, { 'Content-Type': jsonType, ...headers }), body)
    },
  })
  return last
}

/** The content type that `c.json` of this version of Hono sets. */
let jsonType: string | undefined

/** A copy, where its owner may go on using it. */
function keep(body: unknown): MadeBody | undefined {
  if (body instanceof Uint8Array) return body.slice()
  if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0))
  if (typeof body === 'string') return body
  return body === null || body === undefined ? null : undefined
}
