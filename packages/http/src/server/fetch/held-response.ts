/** Responses of Fetch, held back until they are recorded. Of a response only public members are read: it may be a ponyfill's. */
import { type BodyLimits, holdBody, type PassingBody } from '../../guard/answer/held-body.ts'
import { changedFields, type HandlerAnswer, type HeaderField, removedFields } from '../../protocol/exchange.ts'
import { forbidsBody } from '../../protocol/status.ts'
import { piecesOf, streamOf } from './streams.ts'

export interface HeldResponse {
  readonly answer: HandlerAnswer
  /** The body that is on its way while it is made. */
  readonly passing: PassingBody | undefined
  /** The response for the client. */
  response(): Response
}

export type MadeBody = string | Uint8Array | null

export interface Holding {
  readonly method: string
  readonly limits: BodyLimits
  /** Its signal aborts when the handler had all the time that it may take. */
  readonly attempt: { readonly signal: AbortSignal }
  /** Headers that were set before the binding, and are not recorded. */
  readonly before: readonly HeaderField[]
  /** The body, where it is in hand; else it is read from the response. */
  readonly made?: MadeBody | undefined
  /** True where the answer was written past the framework. */
  readonly isSent?: boolean
}

const none = new Uint8Array()
const utf8 = new TextEncoder()

/**
 * Holds a handler's response back, unless it is a stream, of which it holds back the end.
 *
 * @throws the error of its body, where that fails before it is complete
 */
export async function holdResponse(original: Response, holding: Holding): Promise<HeldResponse> {
  const { limits, before, made, isSent = false } = holding
  const { status } = original
  if (isSent || status < 200 || status > 599) return untouched(original, before)
  // first, since the default content type is there on some servers only when the body was asked for
  const source = made === undefined ? piecesOf(askForBody(original)) : undefined
  const headers = fieldsOf(original.headers)
  const held = await bodyOf(source, headers, holding)
  const { passing } = held
  const bytes = held.bytes ?? none
  const replayable = !passing && !limits.stream && bytes.length <= limits.maxResponseBytes
  const response = {
    status,
    headers: changedFields(headers, before),
    ...removedFields(original.headers.keys(), before),
    body: replayable ? bytes : none,
  }
  return {
    answer: { response, replayable },
    passing,
    response() {
      if (!source) return original
      // a response of this realm keeps what no public member shows: workerd's note that the body is encoded already
      const { statusText } = original
      const init = isNative(original) ? original : { status, statusText, headers: headers as [string, string][] }
      if (passing) return new Response(streamOf(passing.pieces), init)
      return new Response(original.body && !forbidsBody(status) ? new Uint8Array(bytes) : null, init)
    },
  }
}

/** A response of @hono/node-server 1 forgets what was done to its headers when it is asked for its body. */
function askForBody(response: Response): Response['body'] {
  const { headers, body } = response
  if (response.headers !== headers) replaceFields(response.headers, headers)
  return body
}

function replaceFields(target: Headers, source: Headers): void {
  for (const name of [...target.keys()]) if (name !== 'content-type') target.delete(name)
  for (const [name, value] of fieldsOf(source)) {
    if (name === 'set-cookie') target.append(name, value)
    else target.set(name, value)
  }
}

async function bodyOf(
  source: AsyncIterator<Uint8Array> | undefined,
  headers: readonly HeaderField[],
  { method, limits, attempt, made }: Holding,
): Promise<{ readonly bytes?: Uint8Array; readonly passing?: PassingBody }> {
  if (method === 'HEAD') {
    await source?.return?.()
    return {}
  }
  if (source) return holdBody(source, headers, limits, attempt.signal)
  return { bytes: typeof made === 'string' ? utf8.encode(made) : (made ?? none) }
}

/** A response that nobody can make again: an upgrade, or an answer that was written past the framework. */
function untouched(original: Response, before: readonly HeaderField[]): HeldResponse {
  const headers = changedFields(fieldsOf(original.headers), before)
  return {
    answer: { response: { status: original.status, headers, body: none }, replayable: false },
    passing: undefined,
    response: () => original,
  }
}

/** Cookies one by one, where some ponyfills join them. */
function fieldsOf(headers: Headers): HeaderField[] {
  const fields = [...headers]
  const values = typeof headers.getSetCookie === 'function' ? headers.getSetCookie() : []
  if (values.length === 0) return fields
  const cookies = values.map((value): HeaderField => ['set-cookie', value])
  return [...fields.filter(([name]) => name.toLowerCase() !== 'set-cookie'), ...cookies]
}

function isNative(response: unknown): boolean {
  return response instanceof Response
}
