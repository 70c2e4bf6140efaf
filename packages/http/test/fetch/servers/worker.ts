/** Run by workerd: the application of the suite as a Worker. */
import { memoryStore } from '@retryproof/memory'
import { fetchApp, type Lifetime } from '../app.ts'

let answer: ReturnType<typeof fetchApp> | undefined

// biome-ignore lint/style/noDefaultExport: what a Worker is
export default {
  fetch(request: Request, _env: unknown, lifetime: Lifetime): Promise<Response> {
    answer ??= fetchApp(memoryStore())
    return answer(request, lifetime)
  },
}
