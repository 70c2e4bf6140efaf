/** Sends calls to the server: the calls of one tick of the event loop share a script. */
import { isAscii } from 'node:buffer'
import { type RedisClient, type requireUsable, writesTogether } from './driver.ts'
import type { Answer } from './record.ts'
import { type Asked, script, sha, sharedArguments } from './statements.ts'

export interface SenderOptions {
  readonly client: ReturnType<typeof requireUsable>
  readonly prefix: string
  /** Resolves when the server can carry the store; `undefined` where that is known. */
  readonly passed: () => Promise<void> | undefined
  /** Rejects calls that a closed connection leaves without a reply. */
  readonly answered: <T>(reply: Promise<T>) => Promise<T>
  /** Maps an error of the client or the server, each time to an object of its own. */
  readonly mapped: (error: unknown) => unknown
  readonly durability: Waiting | undefined
  readonly batch: boolean
  readonly now: (() => number) | undefined
}

export interface Waiting {
  readonly replicas: number
  readonly timeoutMs: number
}

interface Call {
  readonly key: string
  readonly asked: Asked
  /** `undefined` stands for a call that changed nothing, and is sent again by itself. */
  resolve(answer: Answer | undefined): void
  reject(error: unknown): void
}

/**
 * A script leaves as soon as it has so many calls, and the rest at the end of the tick. So a server works on the first of many calls
 * while the client prepares the others, and is never held up for long.
 */
const MAX_CALLS = 32
/** A script leaves before its calls have more bytes, and a call with more of them goes by itself. */
const MAX_BYTES = 256 * 1024
/** Values of up to so many bytes are sent as text, if they are ASCII: ioredis writes text faster than text and bytes. */
const MAX_TEXT = 8192

/** Returns a function that sends one call. Each has an answer or an error of its own. */
export function createSender(options: SenderOptions): (key: string, asked: Asked) => Promise<Answer> {
  const { client, prefix, passed, answered, mapped, durability, now } = options
  const writeTogether = writesTogether(client as RedisClient)
  let waiting: Call[] = []
  /** Those of the calls that wait. */
  let bytes = 0
  /** Scripts without an answer. */
  let inFlight = 0
  // in a Cluster two keys are hardly ever in one of its 16,384 slots
  let isBatching = options.batch && !client.isCluster

  function add(call: Call): void {
    const size = call.key.length + call.asked.text.length + (call.asked.value?.length ?? 0)
    if (bytes + size > MAX_BYTES) flush(waiting)
    bytes += size
    const count = waiting.push(call)
    // nobody shares a script with a lone call: the server works on it while the client does what else there is to do
    if (count === MAX_CALLS || bytes > MAX_BYTES || !isBatching || inFlight === 0) flush(waiting)
    // in the async context of the first of them
    else if (count === 1) process.nextTick(flush, waiting)
  }

  function flush(calls: readonly Call[]): void {
    if (calls !== waiting || calls.length === 0) return
    waiting = []
    bytes = 0
    void send(calls)
  }

  async function send(calls: readonly Call[]): Promise<void> {
    inFlight++
    try {
      const all: (string | Buffer)[] = []
      for (const { key } of calls) all.push(key)
      all.push(...sharedArguments(now?.(), durability !== undefined))
      for (const { asked } of calls) all.push(asked.text, asked.value ? toSent(asked.value) : '')
      let reply: Buffer
      try {
        reply = await confirmed(() => client.evalshaBuffer(sha, calls.length, ...all))
      } catch (error) {
        if (!String(error).includes('NOSCRIPT')) throw error
        reply = await confirmed(() => client.evalBuffer(script, calls.length, ...all))
      }
      settle(calls, reply)
    } catch (error) {
      refuse(calls, error)
    } finally {
      inFlight--
    }
  }

  function confirmed(start: () => Promise<unknown>): Promise<Buffer> {
    if (durability || !isBatching) writeTogether()
    const reply = answered(start()) as Promise<Buffer>
    return durability ? replicated(reply, durability) : reply
  }

  async function replicated(reply: Promise<Buffer>, { replicas, timeoutMs }: Waiting): Promise<Buffer> {
    // WAIT is about what its own connection wrote: both are sent in the same tick
    const [value, count] = await Promise.all([reply, answered(client.wait(replicas, timeoutMs))])
    if (Number(count) >= replicas) return value
    throw new Error(`${count} of ${replicas} replicas confirmed the call in ${timeoutMs} ms`)
  }

  /** Reads the clock, and the length and the bytes of each answer. */
  function settle(calls: readonly Call[], reply: Buffer): void {
    const clock = reply.readDoubleLE(0)
    let end = 8
    for (const { resolve, reject } of calls) {
      if (end === reply.length) {
        resolve(undefined)
        continue
      }
      const start = end + 4
      end = start + reply.readUInt32LE(end)
      if (reply[start] === 0x2d && end > start) reject(mapped(new Error(reply.toString('utf8', start + 1, end))))
      else resolve({ now: clock, found: reply.subarray(start, end) })
    }
  }

  function refuse(calls: readonly Call[], error: unknown): void {
    const said = String(error)
    // a server of a Cluster, or a proxy before one
    const isApart = said.includes('same slot')
    if (isApart) isBatching = false
    // nothing was run, and one call may be allowed where all are not; to repeat one does no harm
    const isRefused = calls.length > 1 && (isApart || said.includes('NOPERM'))
    for (const { resolve, reject } of calls) {
      if (isRefused) resolve(undefined)
      else reject(mapped(error))
    }
  }

  return async (key, asked) => {
    const checking = passed()
    if (checking !== undefined) await checking
    const sendBy = (by: (call: Call) => void) =>
      new Promise<Answer | undefined>((resolve, reject) => by({ key: prefix + key, asked, resolve, reject }))
    return ((await sendBy(add)) ?? (await sendBy((call) => void send([call])))) as Answer
  }
}

/** Copies bytes, since ioredis may write later, and into a Buffer, since it writes any other Uint8Array as text. */
function toSent(value: Uint8Array): string | Buffer {
  if (value.length > MAX_TEXT || !isAscii(value)) return Buffer.from(value)
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
}
