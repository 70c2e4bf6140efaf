/** The body of a request: its value where it has one that says all, and its bytes. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { type Exchange, headerValues, mediaTypeOf } from '../../protocol/exchange.ts'
import { Refusal } from '../../protocol/refusal.ts'
import { parseFaithfulJson } from './lossless-json.ts'

export interface ReadBody {
  readonly mediaType: string
  /** Only where it says all that the bytes say. */
  readonly value?: unknown
  /** As they were sent, or as a parser would have understood them. */
  readonly bytes: Uint8Array
}

const utf8 = new TextEncoder()

/** @throws Refusal for a body that is too large, IdempotencyInvalidOptionError when it was consumed before */
export async function readBody<Native>(exchange: Exchange<Native>, maxBytes: number): Promise<ReadBody> {
  const mediaType = mediaTypeOf(exchange.headers)
  const { parsed } = exchange
  if (typeof parsed === 'string') return fromBytes(utf8.encode(parsed), mediaType, exchange)
  if (parsed instanceof Uint8Array) return fromBytes(parsed, mediaType, exchange)
  if (parsed !== undefined) return fromValue(parsed, mediaType)
  const bytes = exchange.body ?? (await exchange.read?.(maxBytes))
  if (bytes) return fromBytes(bytes, mediaType, exchange)
  if (bytes === null) throw new Refusal('body-too-large', `The body must have at most ${maxBytes} bytes.`)
  throw new IdempotencyInvalidOptionError(
    'fingerprint',
    'the body was consumed before idempotent(), and nothing of it was left: put a body parser there, or let it come later',
  )
}

function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || mediaType.endsWith('+json')
}

/** The text of a value is made only for those who keep requests. */
function fromValue(value: unknown, mediaType: string): ReadBody {
  return {
    mediaType,
    value,
    get bytes() {
      return utf8.encode(JSON.stringify(value))
    },
  }
}

async function fromBytes<Native>(bytes: Uint8Array, mediaType: string, exchange: Exchange<Native>): Promise<ReadBody> {
  const read = isJson(mediaType)
    ? parseFaithfulJson(bytes)
    : mediaType === 'multipart/form-data'
      ? await parseForm(bytes, exchange)
      : undefined
  return { mediaType, bytes, ...read }
}

/** The fields of a form, by name: texts, and files with their bytes in base64. */
async function parseForm<Native>(
  bytes: Uint8Array,
  { headers }: Exchange<Native>,
): Promise<{ readonly value: unknown } | undefined> {
  try {
    const [type = ''] = headerValues(headers, 'content-type')
    const form = await new Response(Uint8Array.from(bytes), { headers: { 'Content-Type': type } }).formData()
    const names = [...new Set(form.keys())]
    const fields = names.map(async (name) => [name, await Promise.all(form.getAll(name).map(fieldOf))] as const)
    return { value: Object.fromEntries(await Promise.all(fields)) }
  } catch {
    return undefined
  }
}

async function fieldOf(field: string | File): Promise<unknown> {
  if (typeof field === 'string') return field
  const content = new Uint8Array(await field.arrayBuffer())
  return {
    name: field.name,
    type: field.type,
    content: btoa(Array.from(content, (byte) => String.fromCharCode(byte)).join('')),
  }
}
