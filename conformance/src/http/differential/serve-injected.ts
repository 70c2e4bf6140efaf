/** Serves on a socket what a framework answers to a request without one. */
import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface InjectedRequest {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface InjectedAnswer {
  readonly status: number
  readonly reason: string
  readonly headers: OutgoingHttpHeaders
  readonly body: Uint8Array
}

/** @param inject rejects where the framework gives no complete answer: the connection is cut then */
export async function serveInjected(inject: (request: InjectedRequest) => Promise<InjectedAnswer>): Promise<number> {
  const server = createServer(async (req, res) => {
    const { url = '/', headers } = req
    try {
      const answer = await inject({ url, headers, body: await buffer(req) })
      res.writeHead(answer.status, answer.reason, answer.headers)
      res.end(answer.body)
    } catch {
      res.destroy()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
