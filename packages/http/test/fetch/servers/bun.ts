/** Run by Bun: serves the application of the suite, and tells the port. */
import { memoryStore } from '@retryproof/memory'
import { fetchApp } from '../app.ts'

declare const Bun: {
  serve(options: {
    port: number
    hostname: string
    development: boolean
    idleTimeout: number
    fetch(request: Request): Promise<Response>
    error(): Response
  }): { readonly port: number }
}

const answer = fetchApp(memoryStore())
const { port } = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  development: false,
  idleTimeout: 0,
  fetch: (request) => answer(request),
  error: () => new Response(null, { status: 500 }),
})
process.stdout.write(`${port}\n`)
