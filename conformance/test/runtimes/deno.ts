/** Run by Deno: serves an application, and tells the port. */
import type { CreateApp } from './app.ts'

declare const Deno: {
  serve(
    options: { port: number; hostname: string; onListen(address: { port: number }): void },
    handler: (request: Request) => Response | Promise<Response>,
  ): unknown
}

export function serve(createApp: CreateApp): void {
  const answer = createApp()
  const onListen = ({ port }: { port: number }) => process.stdout.write(`${port}\n`)
  Deno.serve({ port: 0, hostname: '127.0.0.1', onListen }, (request) => answer(request))
}
