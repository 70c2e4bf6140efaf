/** Serves the page's three files, its stream of events, and what its controls ask for. */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Settings } from '../live.ts'

export interface Controls {
  /** Sends events on this response until it is closed. */
  subscribe(response: ServerResponse): void
  change(changes: Partial<Settings>): Promise<void>
  /** The worker dies in the middle of the next payment. */
  kill(): void
  clear(): void
}

const folder = fileURLToPath(new URL('../../page', import.meta.url))

/** Answers what is the page's; false for anything else. */
export async function servePage(
  controls: Controls,
): Promise<(request: IncomingMessage, response: ServerResponse) => boolean> {
  const files: Record<string, readonly [type: string, content: string]> = {
    '/': ['text/html', readFileSync(`${folder}/index.html`, 'utf8')],
    '/style.css': ['text/css', await bundle('style.css')],
    '/main.js': ['text/javascript', await bundle('main.ts')],
  }
  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
    'GET /demo/events': (_request, response) => controls.subscribe(response),
    'PATCH /demo/settings': async (request, response) => {
      await controls.change((await json(request)) as Partial<Settings>)
      response.writeHead(204).end()
    },
    'POST /demo/kill': (_request, response) => {
      controls.kill()
      response.writeHead(202).end()
    },
    'POST /demo/clear': (_request, response) => {
      controls.clear()
      response.writeHead(204).end()
    },
  }

  return (request, response) => {
    const path = request.url?.split('?')[0] ?? '/'
    const file = request.method === 'GET' ? files[path] : undefined
    const route = routes[`${request.method} ${path}`]
    if (file) {
      const [type, content] = file
      response.writeHead(200, {
        'Content-Type': `${type}; charset=utf-8`,
        'Content-Security-Policy': "default-src 'self'; img-src data:",
        'Cache-Control': 'no-store',
      })
      response.end(content)
    } else if (route) {
      Promise.resolve()
        .then(() => route(request, response))
        .catch((error) => refuse(response, error))
    }
    return file !== undefined || route !== undefined
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  response.writeHead(500, { 'Content-Type': 'application/json' }).end(JSON.stringify({ problem: String(error) }))
}

/** Bundles an entry with all its imports (the page's modules and the client, or its styles), as one file for the browser. */
async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}/${entry}`],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'silent',
  })
  return outputFiles[0]?.text ?? ''
}
