/** A response that its application keeps, such as in a log, keeps nothing of the capture of its answer. */
import { createServer, type ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { type CapturedResponse, captureResponse } from '../src/node.ts'
import { listening, send } from './client.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const ways: [string, (captured: CapturedResponse, res: ServerResponse) => void][] = [
  ['released', (captured) => captured.release()],
  ['replaced', (captured) => captured.replace({ status: 409, headers: [], body: Buffer.from('taken') })],
  [
    'discarded',
    (captured, res) => {
      captured.discard()
      res.end('another')
    },
  ],
]

it.each(ways)('is let go of an answer that was %s', async (_way, letGo) => {
  let kept: ServerResponse | undefined
  let limits: WeakRef<object> | undefined
  const server = createServer(async (_req, res) => {
    kept = res
    const signal = { signal: AbortSignal.abort() }
    limits = new WeakRef(signal)
    const captured = captureResponse(res, { maxResponseBytes: 1000, stream: false, whole: false, attempt: signal })
    res.end('charged')
    await captured.answered
    letGo(captured, res)
  })
  await send(await listening(server))
  server.close()
  await turn()
  collect()
  expect(kept?.writableFinished).toBe(true)
  expect(limits?.deref()).toBeUndefined()
})
