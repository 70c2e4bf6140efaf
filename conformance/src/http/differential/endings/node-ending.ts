/** One handler that answers by Node's own response. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { Ending } from '../application.ts'

export type NodeEnding = Ending<[res: ServerResponse, req: IncomingMessage]>

type Handle = NodeEnding['handle']

export const answered = (name: string, handle: Handle, more: Partial<NodeEnding> = {}): NodeEnding => ({
  name,
  end: 'answered',
  handle,
  ...more,
})
/** A transaction holds every answer until it commits. */
export const streamed = { unreplayable: ['before', 'given'] } as const
export const destroyed = (name: string, handle: Handle): NodeEnding => ({ name, end: 'destroyed', handle })

/** A transaction would wait for an answer on the response. */
export const hijacked = (name: string, handle: Handle): NodeEnding => ({
  name,
  end: 'hijacked',
  handle,
  guarded: ['before', 'given'],
})

async function* pieces(failsAfter: number): AsyncGenerator<string> {
  for (let at = 0; at < 3; at++) {
    if (at >= failsAfter) throw new Error('declined')
    await turn()
    yield `piece ${at};`
  }
}

/** Makes a stream of three pieces, each in a turn of its own, which may fail after some of them. */
export function streamOf(failsAfter = Number.POSITIVE_INFINITY): Readable {
  return Readable.from(pieces(failsAfter), { objectMode: false })
}
