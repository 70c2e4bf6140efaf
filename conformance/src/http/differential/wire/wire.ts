/** Reads a connection byte for byte, and removes the bytes that may differ behind a guard. */

/** The head of a response. */
export interface Head {
  readonly status: number
  /** `HTTP/1.1 200 OK` */
  readonly line: string
  readonly fields: readonly (readonly [name: string, value: string])[]
}

export interface Wire {
  /** Heads with a status below 200 that came before. */
  readonly interim: readonly Head[]
  /** Undefined: the connection was closed, or nothing came in time. */
  readonly head: Head | undefined
  readonly body: Buffer
  /** The body came to its end. */
  readonly isWhole: boolean
  readonly trailers: readonly (readonly [name: string, value: string])[]
  /** Bytes after the end of the answer. */
  readonly rest: Buffer
}

export const nothing: Wire = {
  interim: [],
  head: undefined,
  body: Buffer.alloc(0),
  isWhole: false,
  trailers: [],
  rest: Buffer.alloc(0),
}

const NEWLINE = '\r\n'

function fieldsOf(lines: readonly string[]): [string, string][] {
  return lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
}

export function fieldOf(fields: Head['fields'], name: string): string | undefined {
  return fields.find(([each]) => each.toLowerCase() === name)?.[1]
}

/** Reads what a server sent on a connection of HTTP/1.1 until that was closed. */
export function readWire(bytes: Buffer): Wire {
  const interim: Head[] = []
  let left = bytes
  for (;;) {
    const end = left.indexOf(NEWLINE + NEWLINE)
    if (end < 0) return { ...nothing, interim, rest: left }
    const [line = '', ...lines] = left.subarray(0, end).toString('latin1').split(NEWLINE)
    const head = { status: Number(line.split(' ')[1]), line, fields: fieldsOf(lines) }
    left = left.subarray(end + 4)
    if (head.status >= 200 || head.status === 101) return { ...readBody(head, left), interim, head }
    interim.push(head)
  }
}

type Read = Omit<Wire, 'interim' | 'head'>

function readBody({ status, fields }: Head, bytes: Buffer): Read {
  if (status === 204 || status === 304) return { ...nothing, isWhole: true, rest: bytes }
  if (fieldOf(fields, 'transfer-encoding') === 'chunked') return readChunks(bytes)
  const declared = fieldOf(fields, 'content-length')
  const length = declared === undefined ? bytes.length : Number(declared)
  const body = bytes.subarray(0, length)
  return { body, isWhole: body.length === length, trailers: [], rest: bytes.subarray(length) }
}

function readChunks(bytes: Buffer): Read {
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const end = bytes.indexOf(NEWLINE, at)
    const size = end < 0 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, end), 16)
    if (size === 0) return { body: Buffer.concat(chunks), ...readTrailers(bytes, end + 2) }
    if (Number.isNaN(size)) return { body: Buffer.concat(chunks), isWhole: false, trailers: [], rest: nothing.rest }
    chunks.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

function readTrailers(bytes: Buffer, from: number): Omit<Read, 'body'> {
  if (bytes.toString('latin1', from, from + 2) === NEWLINE) {
    return { isWhole: true, trailers: [], rest: bytes.subarray(from + 2) }
  }
  const end = bytes.indexOf(NEWLINE + NEWLINE, from)
  if (end < 0) return { isWhole: false, trailers: [], rest: nothing.rest }
  const trailers = fieldsOf(bytes.toString('latin1', from, end).split(NEWLINE))
  return { isWhole: true, trailers, rest: bytes.subarray(end + 4) }
}

/** Framing of a body: a held Response has a length where the handler's stream had none. */
const framing = new Set(['content-length', 'transfer-encoding'])

export function comparable({ line, fields }: Head, isFramingHeld: boolean, isFetch: boolean): string[] {
  const kept = fields.filter(([name]) => {
    const lower = name.toLowerCase()
    return lower !== 'date' && !(isFramingHeld && framing.has(lower))
  })
  if (!isFetch) return [line, ...kept.map(([name, value]) => `${name}: ${value}`)]
  const lines = kept.map(([name, value]) => `${name.toLowerCase()}: ${value.replace(/;\s*/g, ';')}`)
  return [line, ...lines.filter((each) => each !== DEFAULT_TYPE).sort()]
}

/** Servers of Fetch give it to some answers that have none, which depends on whether somebody looked at the Response. */
const DEFAULT_TYPE = 'content-type: text/plain;charset=UTF-8'

/** True for a body in pieces. HTTP/2 has no header for that. */
function isChunked({ head }: Wire): boolean {
  if (head?.line.startsWith('HTTP/2')) return fieldOf(head.fields, 'content-length') === undefined
  return head !== undefined && fieldOf(head.fields, 'transfer-encoding') === 'chunked'
}

function isMeasured({ head, body }: Wire): boolean {
  return head !== undefined && fieldOf(head.fields, 'content-length') === String(body.length)
}

/**
 * The lines that both answers have to have in common. If the bare answer came whole, it is all of it, but that the stream
 * of a Response may be framed by its length.
 */
export function linesOf(wire: Wire, other: Wire, isFetch = false): string[] {
  const { interim, head, body, isWhole, trailers, rest } = wire
  const isFramingHeld = isFetch && ((isChunked(wire) && isMeasured(other)) || (isMeasured(wire) && isChunked(other)))
  return [
    ...interim.flatMap((each) => comparable(each, false, isFetch)),
    ...(head ? comparable(head, isFramingHeld, isFetch) : ['no answer']),
    `${isWhole ? 'whole' : 'cut'}, ${body.length} bytes: ${body.subarray(0, 400).toString('latin1')}`,
    ...trailers.map(([name, value]) => `trailer ${name}: ${value}`),
    ...(rest.length > 0 ? [`after its end: ${rest.subarray(0, 200).toString('latin1')}`] : []),
  ]
}
