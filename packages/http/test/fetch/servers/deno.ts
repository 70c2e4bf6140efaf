/** Run by Deno: serves the application of the suite, and tells the port. */
import { memoryStore } from '@retryproof/memory'
import { fetchApp } from '../app.ts'

declare const Deno: {
  serve(
    options: { port: number; hostname: string; onListen(address: { port: number }): void },
    handler: (request: Request) => Promise<Response>,
  ): unknown
}

const answer = fetchApp(memoryStore())
Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: ({ port }) => process.stdout.write(`${port}\n`) }, (request) =>
  answer(request),
)
