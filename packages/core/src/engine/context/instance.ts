/** One instance: its store, codecs and listeners. */

import type { Codec, ErrorType, Serializer } from '../../api/serialization.ts'
import type { TimerQueue } from '../../base/timer-queue.ts'
import { createPipeline, type Pipeline } from '../../encoding/envelope.ts'
import type { Digest } from '../../keys/digest.ts'
import type { RecordStore } from '../../store/store.ts'
import type { Emitter } from '../mechanisms/emitter.ts'
import type { StoreCalls } from '../mechanisms/store-calls.ts'
import type { Waiters } from '../mechanisms/wait-for-release.ts'

export interface Instance {
  readonly namespace: string
  readonly store: RecordStore
  readonly calls: StoreCalls
  readonly waiters: Waiters
  readonly timers: TimerQueue
  readonly digest: Digest
  readonly pipelineFor: (serializer: Serializer) => Pipeline
  /** The serializers of operations that chose one, by their names. */
  readonly forms: Map<string, string>
  readonly errorTypes: readonly ErrorType[]
  /** One of the codecs encrypts. */
  readonly encrypts: boolean
  readonly storeTimeoutMs: number
  readonly settleTimeoutMs: number
  readonly events: Emitter
}

/** Makes one pipeline for each serializer, once. */
export function pipelines(codecs: readonly Codec[], maxValueBytes: number): Instance['pipelineFor'] {
  const made = new WeakMap<Serializer, Pipeline>()
  return (serializer) => {
    const pipeline = made.get(serializer) ?? createPipeline(serializer, codecs, maxValueBytes)
    made.set(serializer, pipeline)
    return pipeline
  }
}
