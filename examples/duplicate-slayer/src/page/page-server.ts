/** Serves the page's files, its stream of events, and what its controls ask for. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import type { Settings } from '../board/live.ts'
import type { Way } from '../network/network.ts'
import { bundlePage } from './page-files.ts'
import type { Room } from './room.ts'
import type { Visitors } from './visitors.ts'

type Route = (room: Room, request: IncomingMessage, response: ServerResponse) => unknown

const types: Record<string, string> = { html: 'text/html', css: 'text/css', js: 'text/javascript' }

const routes: Record<string, Route> = {
  'GET /demo/events': (room, _request, response) => room.subscribe(response),
  'PATCH /demo/settings': async (room, request, response) => {
    await room.change((await json(request)) as Partial<Settings>)
    response.writeHead(204).end()
  },
  'POST /demo/kill': async (room, _request, response) => {
    await room.kill()
    response.writeHead(202).end()
  },
  'POST /demo/clear': async (room, _request, response) => {
    await room.clear()
    response.writeHead(204).end()
  },
}

/** Answers what is the page's; gives the way of anything else. */
export async function servePage(
  visitors: Visitors,
): Promise<(request: IncomingMessage, response: ServerResponse) => Promise<Way | undefined>> {
  const files = await bundlePage('served')

  return async (request, response) => {
    const path = request.url?.split('?')[0] ?? '/'
    const name = path === '/' ? 'index.html' : path.slice(1)
    const content = request.method === 'GET' ? files[name] : undefined
    if (content !== undefined) {
      const visit = name === 'index.html' ? visitors.greet(request) : {}
      send(response, name, content, visit)
      return undefined
    }
    const room = await visitors.roomOf(request)
    const route = routes[`${request.method} ${path}`]
    if (!room) refuse(response, 403, 'Open the page first: its cookie says whose shop it is.')
    else if (route) await Promise.resolve(route(room, request, response)).catch((error) => refuse(response, 500, error))
    else return room
    return undefined
  }
}

function send(response: ServerResponse, name: string, content: string, headers: Record<string, string>): void {
  response.writeHead(200, {
    'Content-Type': `${types[name.split('.').at(-1) ?? '']}; charset=utf-8`,
    'Content-Security-Policy': "default-src 'self'; img-src data:",
    'Cache-Control': 'no-store',
    ...headers,
  })
  response.end(content)
}

function refuse(response: ServerResponse, status: number, problem: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ problem: String(problem) }))
}
