/** Run by Bun: serves an application, and tells the port. */
import type { CreateApp } from './app.ts'

declare const Bun: {
  serve(options: {
    port: number
    hostname: string
    development: boolean
    idleTimeout: number
    fetch(request: Request): Response | Promise<Response>
    error(): Response
  }): { readonly port: number }
}

export function serve(createApp: CreateApp): void {
  const answer = createApp()
  const { port } = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    development: false,
    idleTimeout: 0,
    fetch: (request) => answer(request),
    error: () => new Response(null, { status: 500 }),
  })
  process.stdout.write(`${port}\n`)
}
