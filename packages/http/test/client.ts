/** A client that hides nothing of what came over the wire. */
import { type IncomingMessage, type OutgoingHttpHeaders, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface Received {
  readonly status: number
  /** Names in lower case, in the order of the wire, but without what changes with time and connection. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
  header(name: string): string | undefined
  json(): unknown
}

export interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Uint8Array
  readonly signal?: AbortSignal
}

export const portOf = (server: Server) => (server.address() as AddressInfo).port

export async function listening(server: Server): Promise<number> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return portOf(server)
}

/** One request on a connection of its own. */
export function open(port: number, { method = 'POST', path = '/', headers = {}, body, signal }: Sent = {}) {
  const sent = request({ port, method, path, agent: false, headers, ...(signal ? { signal } : {}) })
  sent.end(body)
  return new Promise<IncomingMessage>((resolve, reject) => sent.on('response', resolve).on('error', reject))
}

const volatile = new Set(['date', 'connection', 'keep-alive'])

export async function send(port: number, sent?: Sent): Promise<Received> {
  const message = await open(port, sent)
  const body = await buffer(message)
  const headers: [string, string][] = []
  for (let at = 0; at < message.rawHeaders.length; at += 2) {
    const name = String(message.rawHeaders[at]).toLowerCase()
    if (!volatile.has(name)) headers.push([name, String(message.rawHeaders[at + 1])])
  }
  return {
    status: message.statusCode ?? 0,
    headers,
    body,
    header: (name) => headers.find(([each]) => each === name)?.[1],
    json: () => JSON.parse(body.toString()) as unknown,
  }
}
