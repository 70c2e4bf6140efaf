/** Calls that share a statement: their lanes, and the parameters of a batch. */
import { createLanes } from '@retryproof/core/internal'
import type { Reply } from './record.ts'
import type { Batched, Statements } from './statements.ts'

/** The statements of which many calls can go together. */
export type BatchedName = {
  [Name in keyof Statements]: Statements[Name] extends Batched ? Name : never
}[keyof Statements]

/** The parameters of a statement for one call: the key, an injected clock, its own. */
export type Parameters = readonly [key: string, clock: number | null, ...own: unknown[]]

/** Sends one call, or the parameters of a batch; or says that an error changed nothing, and may be that of one call. */
export interface Sender {
  one(name: BatchedName, parameters: Parameters): Promise<Reply>
  many(name: BatchedName, parameters: unknown[]): Promise<readonly (Reply & { readonly i: number })[]>
  isRefused(error: unknown): boolean
  readonly timeoutMs: number
}

/** Returns a function that sends calls in lanes, those of each statement in their own. */
export function createBatches({ one, many, isRefused, timeoutMs }: Sender): Sender['one'] {
  const lanes = new Map<BatchedName, (parameters: Parameters) => Promise<Reply>>()
  function lanesOf(name: BatchedName) {
    return createLanes<Parameters, Reply>({
      one: (parameters) => one(name, parameters),
      async many(calls) {
        const replies: (Reply | undefined)[] = Array(calls.length).fill(undefined)
        for (const reply of await many(name, packed(calls))) replies[reply.i] = reply
        return replies
      },
      isRefused,
      sizeOf: (parameters) => parameters.reduce<number>((sum, value) => sum + bytesOf(value), OVERHEAD),
      timeoutMs,
    })
  }
  return (name, parameters) => {
    const send = lanes.get(name) ?? lanesOf(name)
    lanes.set(name, send)
    return send(parameters)
  }
}

/** Bytes of a call beside its values. */
const OVERHEAD = 512

const bytesOf = (value: unknown): number => (ArrayBuffer.isView(value) ? value.byteLength : 0)

/** Calls as JSON, the clock, and the bytes of all calls one after another: JSON has no bytes, and drivers differ in arrays. */
function packed(calls: readonly Parameters[]): unknown[] {
  const bytes: Uint8Array[] = []
  // SQL counts from 1
  let offset = 1
  const sent = calls.map(([key, , ...own], i) => {
    const call: Record<string, unknown> = { i, key }
    own.forEach((value, index) => {
      const number = index + 3
      // those of another realm count too
      if (!ArrayBuffer.isView(value)) {
        call[`p${number}`] = value
        return
      }
      call[`o${number}`] = offset
      call[`l${number}`] = value.byteLength
      offset += value.byteLength
      bytes.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
    })
    return call
  })
  // the time of the last call is that of none before it was made
  return [JSON.stringify(sent), calls.at(-1)?.[1] ?? null, Buffer.concat(bytes)]
}
