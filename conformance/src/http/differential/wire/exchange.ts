/** Sends one request on a connection of its own, and gives all that comes until the server closes it. */
import { connect as connectHttp2, constants } from 'node:http2'
import { connect } from 'node:net'
import type { Application } from '../application.ts'
import { fieldOf, type Head, nothing, readWire, type Wire } from './wire.ts'

/** Ample for any answer, on any machine. */
const PATIENCE_MS = 20_000

export interface Asked {
  readonly path: string
  readonly key: string
  readonly headers?: Readonly<Record<string, string>>
  /** Resolves when no answer is waited for any longer. @default after 20 s */
  readonly patience?: Promise<void>
}

const BODY = '{"amount":1}'

export function exchange(protocol: Application['protocol'], port: number, asked: Asked): Promise<Wire> {
  return protocol === 'HTTP/2' ? overHttp2(port, asked) : overHttp1(port, asked)
}

function fieldsOf({ key, headers = {} }: Asked): [string, string][] {
  return Object.entries({
    'Idempotency-Key': key,
    'Content-Type': 'application/json',
    'Content-Length': String(BODY.length),
    ...headers,
  })
}

function overHttp1(port: number, asked: Asked): Promise<Wire> {
  return new Promise((resolve) => {
    const received: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    const late = setTimeout(() => socket.destroy(), PATIENCE_MS)
    void asked.patience?.then(() => socket.destroy())
    socket.on('data', (data) => {
      received.push(data)
      // a handler of events asks for a connection that stays
      const { head, isWhole } = readWire(Buffer.concat(received))
      if (isWhole && head && fieldOf(head.fields, 'connection') === 'keep-alive') socket.destroy()
    })
    socket
      .on('error', () => {})
      .on('close', () => {
        clearTimeout(late)
        resolve(readWire(Buffer.concat(received)))
      })
    const lines = fieldsOf(asked).map(([name, value]) => `${name}: ${value}`)
    socket.write([`POST ${asked.path} HTTP/1.1`, 'Host: a', 'Connection: close', ...lines, '', BODY].join('\r\n'))
  })
}

function headOf(raw: readonly string[]): Head {
  const fields: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) fields.push([raw[at] ?? '', raw[at + 1] ?? ''])
  const status = Number(fields.find(([name]) => name === ':status')?.[1])
  return { status, line: `HTTP/2 ${status}`, fields: fields.filter(([name]) => !name.startsWith(':')) }
}

function overHttp2(port: number, asked: Asked): Promise<Wire> {
  return new Promise((resolve) => {
    const interim: Head[] = []
    const received: Buffer[] = []
    let head: Head | undefined
    let trailers: Wire['trailers'] = []
    let hasEnded = false
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    session.on('error', () => {})
    const names = Object.fromEntries(fieldsOf(asked).map(([name, value]) => [name.toLowerCase(), value]))
    const stream = session.request({ ':method': 'POST', ':path': asked.path, ...names })
    const late = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), PATIENCE_MS)
    void asked.patience?.then(() => stream.close(constants.NGHTTP2_CANCEL))
    stream.on('headers', (_headers: object, _flags: number, raw: string[]) => interim.push(headOf(raw)))
    stream.on('response', (_headers: object, _flags: number, raw: string[]) => {
      head = headOf(raw)
    })
    stream.on('trailers', (_headers: object, _flags: number, raw: string[]) => {
      trailers = headOf(raw).fields
    })
    stream
      .on('data', (data: Buffer) => received.push(data))
      .on('end', () => {
        hasEnded = true
      })
    stream
      .on('error', () => {})
      .on('close', () => {
        clearTimeout(late)
        session.destroy()
        const isWhole = hasEnded && head !== undefined && stream.rstCode === constants.NGHTTP2_NO_ERROR
        resolve({ ...nothing, interim, head, body: Buffer.concat(received), isWhole, trailers })
      })
    stream.end(BODY)
  })
}
