/** Contexts that are given a response. */
import { type AnswerForm, type HeaderField, type HttpResponse, headerValues } from '@retryproof/http'
import { groupFields, sendResponse } from '@retryproof/http/node'
import type { Context } from 'koa'

/** The type that Koa gives an answer without a body. */
export const textType: HeaderField = ['Content-Type', 'text/plain; charset=utf-8']

/** The text that it gives it. */
export function textOf({ req, message, status }: Context): string {
  return req.httpVersionMajor >= 2 ? String(status) : message || String(status)
}

/** Gives the headers, with their names as they were written where the response knows that. */
export function headersOf({ res }: Context): HeaderField[] {
  const { getRawHeaderNames } = res as { getRawHeaderNames?(): string[] }
  const fields: HeaderField[] = []
  for (const name of getRawHeaderNames?.call(res) ?? res.getHeaderNames()) {
    const value = res.getHeader(name)
    if (Array.isArray(value)) for (const each of value) fields.push([name, String(each)])
    else if (value !== undefined) fields.push([name, String(value)])
  }
  return fields
}

/** One getter for all responses: V8 makes a dictionary of an object that has a getter of its own. */
const WRITABLE = {
  configurable: true,
  get(this: Context['response']): boolean {
    return !this.res.writableEnded
  },
}

/**
 * Lets Koa answer a client that has left, since its answer is recorded, and end an answer that it cannot complete.
 *
 * @param onError called for each error that Koa is to answer
 * @param isLeft tells whether an answer that the handler left waits for its record
 * @param hasFailed tells whether the handler threw, which may have been nothing
 */
export function keepAnswering(
  ctx: Context,
  onError: (error: unknown) => void,
  isLeft: () => boolean,
  hasFailed: () => boolean,
): void {
  const { response, req, res, app, onerror } = ctx
  Object.defineProperty(response, 'writable', WRITABLE)
  let told: unknown
  function watchedError(error: Error): void {
    // the client has left, and the handler goes on; or the answer comes before the error, as without a guard
    if (error && (error === req.socket.errored || isLeft())) {
      if (error !== told) app.emit('error', error, ctx)
      return
    }
    told = error
    if (error) onError(error)
    onerror.call(ctx, error)
    // Koa answers neither after a part nor to nothing, and would leave the client waiting
    if ((error || hasFailed()) && !res.writableEnded) res.destroy(error)
  }
  ctx.onerror = watchedError
}

/** The answer of a context before a handler ran. */
export interface AnswerBefore {
  readonly headers: readonly HeaderField[]
  /** Undoes what a handler set, before another run or another answer. */
  restore(): void
}

/** Notes the answer that a context has before a handler runs, with the status and the body of middleware outside. */
export function answerBefore(ctx: Context): AnswerBefore {
  const { response, body, status, respond } = ctx
  const headers = headersOf(ctx)
  // Koa notes on its response whether the status was chosen: a body makes it 200 where it was not
  const notes = { ...response }
  return {
    headers,
    restore() {
      for (const [name] of headersOf(ctx)) ctx.remove(name)
      // closes a stream
      if (ctx.body !== body) ctx.body = undefined
      ctx.status = status
      for (const name of Object.keys(response)) if (!Object.hasOwn(notes, name)) Reflect.deleteProperty(response, name)
      Object.assign(response, notes)
      Object.assign(ctx, { respond })
      setHeaders(ctx, headers)
    },
  }
}

/**
 * Answers with that response where it was answered the first time: in the context, in which middleware outside finds the same
 * value, or past Koa, where that middleware has had its say.
 */
export function putResponse(ctx: Context, response: HttpResponse): void {
  const { status, headers, removed = [], body, form } = response
  const [type] = headerValues(headers, 'content-type')
  if (form === 'written') {
    ctx.respond = false
    sendResponse(ctx.res, response)
    return
  }
  ctx.remove('Content-Type')
  ctx.status = status
  // Koa writes its own text again
  const isText = type === textType[1] && Buffer.from(body).equals(Buffer.from(textOf(ctx)))
  if (isText) ctx.body = undefined
  else ctx.body = body.length > 0 || type !== undefined ? restoreBody(form, type, body) : null
  ctx.status = status
  for (const name of ['content-type', ...removed]) ctx.remove(name)
  setHeaders(ctx, isText ? headers.filter(([name]) => name.toLowerCase() !== 'content-type') : headers)
}

/** The body in its form. JSON of an answer without one is a value, where JavaScript writes it like that. */
function restoreBody(form: AnswerForm | undefined, type: string | undefined, body: Uint8Array): unknown {
  const bytes = Buffer.from(body)
  if (form === 'text') return bytes.toString()
  const isValue = form === 'value' || (!form && /[/+]json\b/.test(type ?? ''))
  if (!isValue) return bytes
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return form === 'value' || JSON.stringify(value) === bytes.toString() ? value : bytes
  } catch {
    return bytes
  }
}

function setHeaders({ res }: Context, headers: readonly HeaderField[]): void {
  if (res.headersSent) return
  // past Koa, which refuses some that a handler may write to Node's response
  for (const [name, value] of groupFields(headers)) res.setHeader(name, value)
}

/** Statuses with which Koa writes no body. */
export function isEmpty(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}
