/** The bad network: hands requests to the worker of the moment, and loses responses on the way back. */

import { once } from 'node:events'
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Gateway {
  readonly url: string
  readonly lost: () => number
  close(): Promise<void>
}

/** `worker` says where requests go now; `random` (0 to 1) decides which responses are lost. */
export async function openGateway(
  worker: () => string,
  random: () => number,
  pages: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<Gateway> {
  let lost = 0

  function pass(request: IncomingMessage, response: ServerResponse): void {
    const loses = random() < Number(request.headers['demo-lose-responses'] ?? 0)
    const { method, url, headers } = request
    const onward = forward(`${worker()}${url}`, { method, headers, agent: false }, (answer) => {
      if (loses) {
        lost++
        answer.resume().on('close', () => response.destroy())
        return
      }
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(response)
    })
    // a worker that dies takes its connections with it, and the client sees just that
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  }

  const server = createServer((request, response) => {
    if (!pages(request, response)) pass(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lost: () => lost,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
