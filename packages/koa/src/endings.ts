/** Ends answers that have left in part, were written to Node's response, or are made of an error. */
import type { Decision, PassingBody } from '@retryproof/http'
import type { CapturedResponse } from '@retryproof/http/node'
import type { Context } from 'koa'

/** A body of which all but the end has left. */
export function endPassing(passing: PassingBody, { kind }: Decision): void {
  if (kind === 'own') passing.end()
  else passing.cut(new Error('Another answer was recorded while this one left: it is cut.'))
}

/** An answer that was written to Node's response. */
export function endWritten(captured: CapturedResponse, decision: Decision): void {
  if (decision.kind === 'own') captured.release(decision.headers)
  else if (decision.kind === 'send') captured.replace(decision.response)
}

/** Lets Koa answer with what the context has, or with an error. The first end counts. */
export interface Answering {
  answer(): void
  fail(error: unknown): void
}

/** An answer that Koa makes of an error; the error itself where its client has left, for whom Koa makes none. */
export async function unlessGone<T>({ req: { socket } }: Context, answered: Promise<T>, error: unknown): Promise<T> {
  let onClose = () => {}
  const gone = new Promise<never>((_, reject) => {
    onClose = () => reject(error)
    if (socket.destroyed) onClose()
    else socket.once('close', onClose)
  })
  try {
    return await Promise.race([answered, gone])
  } finally {
    socket.off('close', onClose)
  }
}
