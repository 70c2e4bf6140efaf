/** Requests and answers, as a framework binding and the rest of this package exchange them. */

/** A file of a multipart body, wherever its parser has put it. */
export interface UploadedFile {
  /** The name of the form's field. */
  readonly field: string
  /** As the client named it. */
  readonly name: string
  readonly type: string
  /** The SHA-256 of its content in hex. */
  digest(): Promise<string>
}

/** A header field: its name as it was written, and its value. A name may occur several times. */
export type HeaderField = readonly [name: string, value: string]

/** One request, as a binding describes it. */
export interface Exchange<Native> extends RequestBody {
  readonly method: string
  /** Path and query as the client sent them, prefixes of mounted routers included. */
  readonly target: string
  readonly headers: readonly HeaderField[]
  /** The full pattern of the route, prefixes included; `undefined` where the framework does not know it. */
  readonly route: string | undefined
  /**
   * Gives a signal that aborts when the client goes away. Called where a call may wait, which then ends. It is no getter:
   * an object that is written with one takes a microsecond to make.
   */
  readonly signal?: () => AbortSignal
  /** The framework's own request, handed to `scope`, `key` and `operation`. */
  readonly native: Native
}

/** The body of a request, in whichever form the binding can have it; none of them where somebody consumed it. */
export interface RequestBody {
  /** Its bytes; empty where there is no body. */
  readonly body: Uint8Array | undefined
  /** The value that a parser of the framework made of it, where one ran. */
  readonly parsed?: unknown
  /** Files that the parser of a multipart body put elsewhere; `undefined` where it does not say which there were. */
  readonly files?: readonly UploadedFile[]
  /** Reads a body that nobody has read yet, and leaves it readable for whoever comes after. Null: larger than `maxBytes`. */
  readonly read?: (maxBytes: number) => Promise<Uint8Array | null>
}

/** A whole response. */
export interface HttpResponse {
  readonly status: number
  readonly headers: readonly HeaderField[]
  /** Names of headers that middleware sets before the binding, and that the response is to be without. */
  readonly removed?: readonly string[]
  readonly body: Uint8Array
  readonly form?: AnswerForm
}

/**
 * The form in which middleware of a framework finds the body, where that may change it: bytes, a text, a value that becomes
 * JSON, or none, since it was written past that middleware. A replay has the same.
 */
export type AnswerForm = 'bytes' | 'text' | 'value' | 'written'

/** The answer of a handler. */
export interface HandlerAnswer {
  /** The headers are those that the handler set: none that was there before the binding. */
  readonly response: HttpResponse
  /** False when the body went out as a stream, or is too large to keep: `response.body` is then empty. */
  readonly replayable: boolean
}

/**
 * The values of a header, in the order in which they were sent.
 *
 * @example
 * import { headerValues } from '@retryproof/http'
 *
 * headerValues([['Link', '</a>'], ['link', '</b>']], 'link') // ['</a>', '</b>']
 */
export function headerValues(headers: readonly HeaderField[], name: string): string[] {
  const values: string[] = []
  for (const [field, value] of headers) {
    if (field.length === name.length && field.toLowerCase() === name) values.push(value)
  }
  return values
}

/**
 * Gives the fields that were not there before with the same values, and the type of the body, whoever set it. A name of which
 * one value has changed keeps all of its values, since a replay takes the place of what was there before.
 *
 * @example
 * import { changedFields } from '@retryproof/http'
 *
 * changedFields([['Vary', 'Origin'], ['ETag', '"1"']], [['Vary', 'Origin']]) // [['ETag', '"1"']]
 */
export function changedFields(fields: readonly HeaderField[], before: readonly HeaderField[]): HeaderField[] {
  if (before.length === 0) return [...fields]
  const isUnchanged = (name: string) => {
    if (name === 'content-type') return false
    const [now, was] = [headerValues(fields, name), headerValues(before, name)]
    return now.length === was.length && now.every((value, at) => value === was[at])
  }
  return fields.filter(([name]) => !isUnchanged(name.toLowerCase()))
}

/**
 * Gives the names of fields that were there before and are not any more, as a part of a response.
 *
 * @example
 * import { removedFields } from '@retryproof/http'
 *
 * removedFields(['etag'], [['Vary', 'Origin'], ['ETag', '"1"']]) // { removed: ['vary'] }
 */
export function removedFields(names: Iterable<string>, before: readonly HeaderField[]): Pick<HttpResponse, 'removed'> {
  if (before.length === 0) return {}
  const present = new Set([...names].map((name) => name.toLowerCase()))
  const removed = new Set(before.map(([name]) => name.toLowerCase()).filter((name) => !present.has(name)))
  return removed.size > 0 ? { removed: [...removed] } : {}
}

/** The media type without its parameters; empty where there is none. */
export function mediaTypeOf(headers: readonly HeaderField[]): string {
  const [type = ''] = headerValues(headers, 'content-type')
  const end = type.indexOf(';')
  return (end < 0 ? type : type.slice(0, end)).trim().toLowerCase()
}

/** The header fields of a request of Node. */
export interface SentHeaders {
  /** A flat list of names and values. Adapters that put a cloud function's event in place of a request may leave it empty. */
  readonly rawHeaders: readonly string[]
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/**
 * Gives the header fields of a request of Node as they were sent, without the pseudo fields of HTTP/2.
 *
 * @example
 * import { headerFields } from '@retryproof/http/fetch'
 *
 * const rawHeaders = ['Idempotency-Key', 'k1', 'Host', 'localhost']
 * headerFields({ rawHeaders, headers: {} }) // [['Idempotency-Key', 'k1'], ['Host', 'localhost']]
 */
export function headerFields({ rawHeaders, headers }: SentHeaders): HeaderField[] {
  if (rawHeaders.length === 0) return Object.entries(headers).flatMap(fieldsOf)
  const fields: HeaderField[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) fields.push([rawHeaders[at] ?? '', rawHeaders[at + 1] ?? ''])
  return rawHeaders[0]?.startsWith(':') ? fields.filter(([name]) => !name.startsWith(':')) : fields
}

function fieldsOf([name, value = []]: [string, string | readonly string[] | undefined]): HeaderField[] {
  return [value].flat().map((each) => [name, String(each)])
}
