/** One request on Express or on Fastify, where they differ. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HandlerAnswer, HttpResponse } from '@retryproof/http'

/** A request whose guards have let it pass, and which nobody has answered yet. */
export interface Platform {
  /** The request, as Nest names it. */
  readonly native: NativeRequest
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Path and query, as the client sent them. */
  readonly target: string
  /** Of the path, prefixes included. */
  readonly pattern: string
  /** Sends a whole response, as the platform sends answers. */
  send(response: HttpResponse): void
  /** Begins to note what is answered, as it is before the platform compresses it. */
  note(): void
  /** An answer as it is recorded. */
  recordable(answer: HandlerAnswer): HandlerAnswer
  /** Takes back what an attempt set that a conflict undid. */
  reset(): void
  /** Lets whatever is still written to a response that has left go nowhere. */
  mute(): void
}

/** Members that both platforms, and Nest itself, leave on a request. */
export interface NativeRequest {
  readonly method: string
  readonly body?: unknown
  /** The body as it was sent, where the application was created with `rawBody: true`. */
  readonly rawBody?: Uint8Array
  /** Files that multer took out of a multipart body. */
  readonly file?: unknown
  readonly files?: unknown
}

/** Methods that would fail, or write, after the end of a response. */
const writers = ['setHeader', 'appendHeader', 'removeHeader', 'writeHead', 'flushHeaders', 'write', 'end', 'render']

function stayMute<Response>(this: Response): Response {
  return this
}

const mutes = new WeakMap<object, object>()

/** Mutes a response by its prototype: on Express each property that is added to it takes a hidden class of its own. */
export function muteWrites(res: ServerResponse): void {
  const prototype = Object.getPrototypeOf(res) as object
  let mute = mutes.get(prototype)
  if (!mute) {
    mute = Object.create(prototype) as object
    for (const name of writers) Object.assign(mute, { [name]: stayMute })
    mutes.set(prototype, mute)
  }
  Object.setPrototypeOf(res, mute)
  for (const name of writers) if (Object.hasOwn(res, name)) Object.assign(res, { [name]: stayMute })
}
