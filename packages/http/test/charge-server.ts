/** A guarded route of a plain Node server, whose handler counts its runs. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createIdempotency } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { onTestFinished } from 'vitest'
import { idempotent } from '../src/node.ts'
import { listening, type Received, send } from './client.ts'

export interface ChargeServer {
  readonly runs: number
  /** Sends the one request that there is. */
  post(): Promise<Received>
  /** Sends it again until the handler of before has ended, and what became of it is known. */
  postUntilDecided(): Promise<Received>
}

/** @param outside middleware around the guard, which has to call it */
export async function serveCharge(
  handler: (res: ServerResponse) => unknown,
  outside: (guarded: RequestListener, runs: () => number) => RequestListener = (guarded) => guarded,
): Promise<ChargeServer> {
  const idempotency = createIdempotency({ store: memoryStore(), namespace: 'app' })
  let runs = 0
  const charge = idempotent(
    idempotency,
    { scope: () => 'user', operation: 'charge', onError: (_error, _req, res: ServerResponse) => res.destroy() },
    async (_req: IncomingMessage, res: ServerResponse) => {
      runs++
      await handler(res)
    },
  )
  const server = createServer(outside(charge, () => runs))
  onTestFinished(() => void server.close())
  const port = await listening(server)
  const post = () => send(port, { headers: { 'Idempotency-Key': 'key' } })
  return {
    get runs() {
      return runs
    },
    post,
    async postUntilDecided() {
      let answer = await post()
      while (answer.status === 409) answer = await post()
      return answer
    },
  }
}
