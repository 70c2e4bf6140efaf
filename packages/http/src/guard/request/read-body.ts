/** Reads the body of a request: its text where it is JSON, its value where a parser ran, and its bytes. */
import { IdempotencyInvalidOptionError, isIdempotencyError } from '@retryproof/core'
import { canonicalize, type MaybePromise } from '@retryproof/core/internal'
import { sha256 } from '../../protocol/bytes.ts'
import { type Exchange, headerValues, type UploadedFile } from '../../protocol/exchange.ts'
import { Refusal } from '../../protocol/refusal.ts'
import { type BodyForm, bodyForm, isJson } from './body-headers.ts'
import { groupEntries } from './select.ts'

/** A body has `json` or `value` where it counts by its value, and else only bytes. */
export interface ReadBody {
  readonly form: BodyForm
  /** The text as it was sent, which may be no JSON; undefined where the bytes are no UTF-8. */
  readonly json?: string | undefined
  readonly value?: unknown
  /** Files that stood beside the value; `undefined` where its parser does not say. */
  readonly files?: readonly UploadedFile[]
  /**
   * As they were sent, or as a parser would have understood them.
   *
   * @throws {@link IdempotencyInvalidOptionError} for a parsed body that has no JSON text
   */
  readonly bytes: Uint8Array
}

const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * @throws {@link Refusal} for a body that is too large
 * @throws {@link IdempotencyInvalidOptionError} when it was consumed before, and nothing of it was left
 */
export function readBody<Native>(exchange: Exchange<Native>, maxBytes: number): MaybePromise<ReadBody> {
  const { parsed, headers, files } = exchange
  if (parsed !== undefined) {
    const form = bodyForm(headers, true)
    const bytes = sentBytes(parsed, form, exchange)
    return bytes ? fromBytes(bytes, form, exchange) : new ParsedBody(form, parsed, files)
  }
  return exchange.body ? fromBytes(exchange.body, bodyForm(headers, false), exchange) : readUnread(exchange, maxBytes)
}

async function readUnread<Native>(exchange: Exchange<Native>, maxBytes: number): Promise<ReadBody> {
  const { headers } = exchange
  const bytes = await exchange.read?.(maxBytes)
  if (bytes) return fromBytes(bytes, bodyForm(headers, false), exchange)
  if (bytes === null) throw new Refusal('body-too-large', `The body must have at most ${maxBytes} bytes.`)
  throw new IdempotencyInvalidOptionError(
    'fingerprint',
    'the body was consumed before idempotent(), and nothing of it was left: put a body parser there, let the reader come later, or name what counts, fingerprint: (request) => …',
  )
}

/**
 * The bytes of a body that its parser left as bytes or as text; undefined for any other value. A text that came as JSON may
 * be the value of a JSON string: then it is shorter than what was sent, by its quotes.
 */
function sentBytes<Native>(
  parsed: unknown,
  { mediaType }: BodyForm,
  exchange: Exchange<Native>,
): Uint8Array | undefined {
  if (ArrayBuffer.isView(parsed)) return new Uint8Array(parsed.buffer, parsed.byteOffset, parsed.byteLength)
  if (typeof parsed !== 'string' || !parsed.isWellFormed()) return undefined
  const bytes = utf8.encode(parsed)
  if (!isJson(mediaType)) return bytes
  const [length] = headerValues(exchange.headers, 'content-length')
  return length === `${bytes.length}` ? bytes : undefined
}

/** A body that a parser took apart. Its text is made only for those who keep requests. */
class ParsedBody implements ReadBody {
  readonly form: BodyForm
  readonly value: unknown
  readonly files?: readonly UploadedFile[]

  constructor(form: BodyForm, value: unknown, files: readonly UploadedFile[] | undefined) {
    this.form = form
    this.value = value
    if (files) this.files = files
  }

  get bytes(): Uint8Array {
    return keptBytes(this.value, this.files)
  }
}

function keptBytes(value: unknown, files: readonly UploadedFile[] = []): Uint8Array {
  const cannot = (problem: string) =>
    new IdempotencyInvalidOptionError('storeRequest', `${problem}: let idempotent() come before its parser`)
  if (files.length > 0) throw cannot('cannot keep the files of a form that a parser took apart')
  try {
    return utf8.encode(canonicalize(value))
  } catch (error) {
    if (isIdempotencyError(error)) throw cannot(`cannot keep a parsed body that is no JSON (${error.message})`)
    throw error
  }
}

function fromBytes<Native>(bytes: Uint8Array, form: BodyForm, exchange: Exchange<Native>): MaybePromise<ReadBody> {
  if (isJson(form.mediaType)) return new JsonBody(form, bytes)
  if (form.mediaType !== 'multipart/form-data') return { form, bytes }
  return parseForm(bytes, exchange).then((parts) => ({ form, bytes, ...parts }))
}

/** JSON as it was sent. Its text is made only for those who do not read its bytes. */
class JsonBody implements ReadBody {
  readonly form: BodyForm
  readonly bytes: Uint8Array

  constructor(form: BodyForm, bytes: Uint8Array) {
    this.form = form
    this.bytes = bytes
  }

  get json(): string | undefined {
    try {
      return strictUtf8.decode(this.bytes)
    } catch {
      return undefined
    }
  }
}

/** The fields of a form as parsers give them, and its files. */
async function parseForm<Native>(
  bytes: Uint8Array,
  { headers }: Exchange<Native>,
): Promise<Pick<ReadBody, 'value' | 'files'> | undefined> {
  try {
    const [type = ''] = headerValues(headers, 'content-type')
    const form = await new Response(Uint8Array.from(bytes), { headers: { 'Content-Type': type } }).formData()
    const entries = [...form]
    const files = entries.flatMap(([field, value]) => (typeof value === 'string' ? [] : [uploaded(field, value)]))
    return { value: groupEntries(entries.filter(([, value]) => typeof value === 'string')), files }
  } catch {
    return undefined
  }
}

function uploaded(field: string, file: File): UploadedFile {
  const { name, type } = file
  return { field, name, type, digest: async () => sha256(new Uint8Array(await file.arrayBuffer())) }
}
