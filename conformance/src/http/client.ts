/** The client of one check, on connections of its own. It hides nothing of what came over the wire. */
import { randomUUID } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { within } from '../store/tools/within.ts'
import { closeIdleUntil } from './closing.ts'
import { begin as beginRequest, type Message, type Server } from './transport.ts'

/** Ample for any answer, on any machine. */
const PATIENCE_MS = 40_000

export interface Sent {
  readonly method?: string
  /** Null: none. Several: a header for each. @default a key that is the check's own */
  readonly key?: string | readonly string[] | null
  readonly headers?: OutgoingHttpHeaders
  readonly json?: unknown
  /** Instead of `json`: bytes, or text that is JSON. */
  readonly body?: string | Uint8Array
}

export interface Received {
  readonly status: number
  /** In the order of the wire, with names as they were written. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  values(name: string): string[]
  header(name: string): string | undefined
  json(): unknown
}

/** An answer of which only the head has come. */
export interface Opened extends Omit<Received, 'body' | 'json'> {
  /** The next piece of the body; `undefined` after its end. Rejects when the connection is cut before it. */
  next(): Promise<Buffer | undefined>
  /** The rest of the body; rejects when the connection is cut before its end. */
  rest(): Promise<Buffer>
  /** Reads the body to its end, and gives only its size. */
  drain(): Promise<number>
}

/** A request on its way. */
export interface Pending {
  readonly opened: Promise<Opened>
  /** Reads the whole answer. */
  received(): Promise<Received>
  /** Closes the connection. */
  leave(): void
  /** Resets the connection, which the server is told as an error. */
  reset(): void
}

export interface BindingClient {
  readonly key: string
  send(path: string, sent?: Sent): Promise<Received>
  begin(path: string, sent?: Sent): Pending
  /** Begins a request, and leaves when a part of its body is on the way. */
  leaveHalfway(path: string): Promise<void>
  /** Resolves when handlers ran that often, and saw that many clients leave. */
  reached(counts: { readonly runs?: number; readonly departures?: number }): Promise<void>
  /** The number of runs of handlers for this check, or for the case that requests named in `X-Case`. */
  runs(id?: string): Promise<number>
  /** True where a write of this check's handlers was committed. */
  isWritten(): Promise<boolean>
  /**
   * Sends these bytes on a connection of its own, as they are, and gives what comes until the server closes it: to be asked
   * for by `Connection: close`. Of HTTP/1.1 alone.
   */
  raw(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Buffer>
  /** True where the user who has the name of this check is let in. */
  access(isRevoked: boolean): Promise<void>
  /** Tells that the store, an event or an error was given a text, or that a prototype has more members than it should have. */
  told(secret: string): Promise<{ readonly isTold: boolean; readonly isPolluted: boolean }>
  /** Lets the handlers of this check go on that wait. */
  openGate(): Promise<void>
  /** Closes the idle connections of the server, as its `close` does, in each turn of the event loop until this has settled. */
  closeIdleUntil(settled: Promise<unknown>): Promise<void>
  /** Lets the time-outs of this check's requests pass. */
  timeOut(): Promise<void>
  /** Memory that the server's process holds; null where its runtime does not tell. */
  residentBytes(): Promise<number | null>
}

export function clientOf(server: Server): BindingClient {
  const id = randomUUID()

  function prepare(path: string, { method = 'POST', key = id, headers = {}, json, body }: Sent) {
    const sent = beginRequest(server, method, path, {
      'X-Case': id,
      ...(key === null ? {} : { 'Idempotency-Key': key as string | string[] }),
      ...(json === undefined && typeof body !== 'string' ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    })
    return { sent, payload: json === undefined ? body : JSON.stringify(json) }
  }

  function begin(path: string, options: Sent = {}): Pending {
    const { sent, payload } = prepare(path, options)
    const what = `${options.method ?? 'POST'} ${path}`
    sent.end(payload)
    const opened = within(`the head of the answer to ${what}`, sent.message, PATIENCE_MS).then(openedOf)
    // a client that leaves does not look at it
    opened.catch(() => undefined)
    let received: Promise<Received> | undefined
    const receive = async () => {
      const answer = await opened
      const body = await answer.rest()
      return { ...answer, body, json: () => JSON.parse(body.toString()) as unknown }
    }
    return {
      opened,
      received() {
        received ??= receive()
        return received
      },
      leave: () => sent.destroy(),
      reset: () => sent.reset(),
    }
  }

  const send = (path: string, sent?: Sent) => begin(path, sent).received()
  const control = (name: string, headers: OutgoingHttpHeaders = {}) =>
    send(`/control/${name}`, { method: 'GET', key: null, headers })

  const what = async (named: string = id) =>
    (await control('case', { 'X-Case': named })).json() as { runs: number; isWritten: boolean }

  return {
    key: id,
    begin,
    send,
    async leaveHalfway(path) {
      const { sent } = prepare(path, { headers: { 'Content-Length': '1000', 'Content-Type': 'text/plain' } })
      await new Promise<void>((resolve) => sent.write('the first part', resolve))
      sent.destroy()
    },
    async reached({ runs = 0, departures = 0 }) {
      await control('case', { 'X-Runs': runs, 'X-Departures': departures })
    },
    async runs(named) {
      return (await what(named)).runs
    },
    async isWritten() {
      return (await what()).isWritten
    },
    raw: (pieces) => within('the answer to what was sent by hand', exchange(server.port, pieces), PATIENCE_MS),
    async access(isRevoked) {
      await control('access', { 'X-Revoked': String(isRevoked) })
    },
    async told(secret) {
      return (await control('told', { 'X-Secret': secret })).json() as { isTold: boolean; isPolluted: boolean }
    },
    async openGate() {
      await control('open')
    },
    closeIdleUntil: (settled) => closeIdleUntil(server.port, () => control('case'), settled),
    async timeOut() {
      await control('time-out')
    },
    async residentBytes() {
      return ((await control('memory')).json() as { residentBytes: number | null }).residentBytes
    },
  }
}

function exchange(port: number, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Buffer> {
  return new Promise((resolve) => {
    const received: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (data) => received.push(data))
    // a server that refuses may cut the connection while more is on its way
    socket.on('error', () => {}).on('close', () => resolve(Buffer.concat(received)))
    const write = async () => {
      // not ended: servers take a client that has said all for one that has left
      for await (const piece of pieces) socket.write(piece)
    }
    write().catch((error: Error) => socket.destroy(error))
  })
}

function openedOf(message: Message): Opened {
  const headers: [string, string][] = []
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    headers.push([message.rawHeaders[at] ?? '', message.rawHeaders[at + 1] ?? ''])
  }
  const values = (name: string) => headers.flatMap(([each, value]) => (each.toLowerCase() === name ? [value] : []))
  const pieces = message[Symbol.asyncIterator]()
  return {
    status: message.status,
    headers,
    values,
    header: (name) => values(name)[0],
    next: async () => (await within('the next piece of a body', pieces.next(), PATIENCE_MS)).value,
    rest: () => within('the rest of a body', buffer({ [Symbol.asyncIterator]: () => pieces }), PATIENCE_MS),
    async drain() {
      let size = 0
      for await (const piece of { [Symbol.asyncIterator]: () => pieces }) size += piece.length
      return size
    },
  }
}
