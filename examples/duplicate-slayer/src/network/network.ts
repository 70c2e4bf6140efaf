/** Serves HTTP in front of the workers: what is no page goes over the bad network to the worker of the moment. */
import { once } from 'node:events'
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { DIE_AT } from '../naming.ts'
import { type Answer, type Carry, keyIn, orderIn } from './bad-network.ts'

/** A network, and the address of the worker to which its requests go now. */
export interface Way {
  readonly carry: Carry
  readonly worker: () => string
}

export interface NetworkOptions {
  /** The way of a request; undefined where the request was answered. */
  readonly route: (request: IncomingMessage, response: ServerResponse) => Promise<Way | undefined>
  readonly port?: number
}

export interface Network {
  readonly url: string
  close(): Promise<void>
}

export async function openNetwork({ route, port = 0 }: NetworkOptions): Promise<Network> {
  const server = createServer((request, response) => {
    route(request, response)
      .then((way) => way && take(way, request, response))
      .catch(() => response.destroy())
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

async function take({ carry, worker }: Way, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await text(request)
  const key = keyIn(String(request.headers['idempotency-key'] ?? ''))
  const answer = await carry({ key, order: orderIn(body) }, ({ guarded, dieAt }) => {
    const headers = { ...request.headers, ...(dieAt && { [DIE_AT]: dieAt }) }
    return send(`${worker()}${guarded ? '' : '/unguarded'}${request.url}`, { method: request.method, headers }, body)
  })
  if (answer) response.writeHead(answer.status, answer.rawHeaders).end(answer.body)
  else response.destroy()
}

interface WholeAnswer extends Answer {
  readonly rawHeaders: string[]
  readonly body: Buffer
}

/** Rejects when the worker dies: it takes its connections with it. */
async function send(url: string, options: object, body: string): Promise<WholeAnswer> {
  const onward = forward(url, { ...options, agent: false }).end(body)
  const [answer] = (await once(onward, 'response')) as [IncomingMessage]
  return {
    status: answer.statusCode ?? 0,
    replayed: 'idempotency-replayed' in answer.headers,
    rawHeaders: answer.rawHeaders,
    body: await buffer(answer),
  }
}
