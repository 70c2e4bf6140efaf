/** The network between the page and the shop: it loses requests before, and answers after the shop has seen them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Express } from 'express'
import { type Listening, listen } from './listen.ts'

export interface Losses {
  /** The part of the payments that never arrives, from 0 to 1. */
  readonly loseRequests: number
  /** The part of the answers that never arrives: the shop has done its work. */
  readonly loseResponses: number
  /** From 0 to 1, as `Math.random`. */
  readonly random?: () => number
}

export interface LossyNetwork extends Listening {
  /** The number of lost requests and answers so far. */
  readonly lost: { requests: number; responses: number }
}

/** Requests that a browser makes by itself, or that a page is made of: without it there is nothing to see. */
const SPARED = ['GET', 'OPTIONS']

/** Serves the app on a network that loses payments and their answers. */
export async function openLossyNetwork(app: Express, losses: Losses): Promise<LossyNetwork> {
  const { loseRequests, loseResponses, random = Math.random } = losses
  const shop = await listen(createServer(app))
  const lost = { requests: 0, responses: 0 }

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const suffers = !SPARED.includes(request.method ?? '')
    const body: Buffer[] = []
    for await (const chunk of request) body.push(chunk)
    if (suffers && random() < loseRequests) {
      lost.requests++
      response.socket?.destroy()
      return
    }
    const answer = await fetch(new URL(request.url ?? '/', shop.url), {
      method: request.method ?? 'GET',
      headers: ownHeaders(request),
      ...(body.length > 0 && { body: Buffer.concat(body) }),
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    if (suffers && random() < loseResponses) {
      lost.responses++
      response.socket?.destroy()
      return
    }
    const headers = [...answer.headers].filter(([name]) => !hopByHop.has(name))
    response.writeHead(answer.status, Object.fromEntries(headers)).end(bytes)
  }

  const outside = await listen(
    createServer((request, response) => {
      pass(request, response).catch(() => response.socket?.destroy())
    }),
  )
  return {
    url: outside.url,
    lost,
    async close() {
      await outside.close()
      await shop.close()
    },
  }
}

/** The headers that a browser sends along to another origin. */
const CORS = ['origin', 'access-control-request-method', 'access-control-request-headers']

const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'content-encoding'])

function ownHeaders({ headers }: IncomingMessage): Record<string, string> {
  const kept = ['content-type', 'idempotency-key', 'accept', ...CORS]
  return Object.fromEntries(kept.flatMap((name) => (headers[name] ? [[name, String(headers[name])]] : [])))
}
