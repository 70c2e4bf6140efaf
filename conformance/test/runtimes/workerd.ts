/** Run by workerd: an application as a Worker. */
import type { CreateApp, Lifetime } from './app.ts'

export function serve(createApp: CreateApp) {
  // not before the first request, since a Worker may not do everything while it starts
  let answer: ReturnType<CreateApp> | undefined
  return {
    fetch(request: Request, _env: unknown, lifetime: Lifetime): Response | Promise<Response> {
      answer ??= createApp()
      return answer(request, lifetime)
    },
  }
}
