/** Refuses writes after the end of an answer that is held. */
import type { ServerResponse } from 'node:http'
import { readWriteArguments } from './write-arguments.ts'

/** Gives what tells whether the answer was complete before this turn of the microtask queue. Handles its error, which nobody may wait for. */
export function watchPast(answered: Promise<unknown>): () => boolean {
  let isPast = false
  answered.then(
    () => {
      isPast = true
    },
    () => undefined,
  )
  return () => isPast
}

/**
 * Refuses it as Node does once the answer has left, by the callback alone. Before that Node emits an error, which ends the
 * process where nobody listens.
 */
export function refuseLate(rest: readonly unknown[]): false {
  const { callback } = readWriteArguments(rest)
  const error = Object.assign(new Error('write after end'), { code: 'ERR_STREAM_WRITE_AFTER_END' })
  if (callback) process.nextTick(callback, error)
  return false
}

/**
 * Refuses what is written to an answer that was let go, and that somebody outside ends later, such as middleware that saves a session first:
 * its record is made. Who has sent nothing yet may write by this method too.
 */
export function refuseUntilEnded(res: ServerResponse): void {
  if (res.writableEnded || res.destroyed || !res.headersSent) return
  const { write } = res
  const refused = (_chunk: unknown, ...rest: unknown[]) => refuseLate(rest)
  function giveBack(): void {
    if (res.write === refused) res.write = write
  }
  res.write = refused
  res.once('prefinish', giveBack).once('close', giveBack)
}
