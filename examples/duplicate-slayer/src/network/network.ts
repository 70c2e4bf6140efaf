/** The bad network: hands requests to the worker of the moment, and loses them, or their responses, on the way. */
import { once } from 'node:events'
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Fate } from '../naming.ts'
import type { DeathPoint } from '../once/scenarios.ts'

/** The present state of the network. Its members may be changed at any time. */
export interface Conditions {
  /** Requests go to the guarded route, or to the same handler without idempotency. */
  idempotency: boolean
  /** Shares, 0 to 1. */
  lostResponses: number
  lostRequests: number
  /** The next request that gets through makes its worker stop here. */
  dieAt?: DeathPoint | undefined
}

/** One request on its way through the network. */
export interface Flight {
  readonly id: number
  readonly key: string
  readonly order: string
  readonly fate: Fate
  readonly status?: number
  readonly replayed?: boolean
}

export interface NetworkOptions {
  readonly conditions: Conditions
  /** The address to which requests go now. */
  readonly worker: () => string
  /** 0 to 1: decides what is lost. */
  readonly random: () => number
  /** Answers what is not for the worker. */
  readonly pages: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Told when a request sets off, and when its fate is known. */
  readonly onFlight: (flight: Flight) => void
  readonly port?: number
}

export interface Network {
  readonly url: string
  close(): Promise<void>
}

export async function openNetwork(options: NetworkOptions): Promise<Network> {
  const { conditions, worker, random, pages, onFlight, port = 0 } = options
  let flights = 0

  async function carry(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const flight: Flight = { id: ++flights, key: keyOf(request), order: orderOf(body), fate: 'on its way' }
    const land = (fate: Fate, answer: Pick<Flight, 'status' | 'replayed'> = {}) =>
      onFlight({ ...flight, fate, ...answer })
    onFlight(flight)
    if (random() < conditions.lostRequests) {
      response.destroy()
      land('request lost')
      return
    }
    const losesResponse = random() < conditions.lostResponses
    const { method, headers, url = '' } = request
    const { dieAt, idempotency } = conditions
    conditions.dieAt = undefined
    const onward = forward(`${worker()}${idempotency ? '' : '/unguarded'}${url}`, {
      method,
      headers: { ...headers, ...(dieAt && { 'demo-die-at': dieAt }) },
      agent: false,
    })
    onward.on('response', (answer) => {
      const told = { status: answer.statusCode ?? 0, replayed: 'idempotency-replayed' in answer.headers }
      if (losesResponse) {
        answer.resume().on('close', () => {
          response.destroy()
          land('response lost', told)
        })
        return
      }
      response.writeHead(told.status, answer.rawHeaders)
      answer.pipe(response)
      land('answered', told)
    })
    // a worker that dies takes its connections with it, and the client sees just that
    onward.on('error', () => {
      response.destroy()
      land('server died')
    })
    onward.end(body)
  }

  const server = createServer((request, response) => {
    if (pages(request, response)) return
    carry(request, response).catch(() => response.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function keyOf({ headers }: IncomingMessage): string {
  return String(headers['idempotency-key'] ?? '').replace(/^"|"$/g, '')
}

/** The order that a body is about; empty where it is about none. */
function orderOf(body: string): string {
  try {
    const { order } = JSON.parse(body) as { order?: unknown }
    return typeof order === 'string' ? order : ''
  } catch {
    return ''
  }
}
