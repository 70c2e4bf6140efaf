/** One instance: its store, codecs, clocks and listeners. */

import type { ErrorType, Serializer } from './api-serialization.ts'
import { createPipeline, type Pipeline } from './codec.ts'
import type { Digest } from './digest.ts'
import type { Emitter } from './emitter.ts'
import type { RecordStore } from './store.ts'
import type { StoreCalls } from './store-calls.ts'
import type { Waiters } from './waiters.ts'

export interface Engine {
  readonly namespace: string
  readonly store: RecordStore
  readonly calls: StoreCalls
  readonly waiters: Waiters
  readonly digest: Digest
  readonly pipelineFor: (serializer: Serializer) => Pipeline
  readonly errorTypes: readonly ErrorType[]
  /** One of the codecs encrypts. */
  readonly encrypts: boolean
  readonly storeTimeoutMs: number
  readonly settleTimeoutMs: number
  readonly events: Emitter
}

/** One pipeline for each serializer, made once. */
export function pipelines(codecs: Parameters<typeof createPipeline>[1]): Engine['pipelineFor'] {
  const made = new WeakMap<Serializer, Pipeline>()
  return (serializer) => {
    const pipeline = made.get(serializer) ?? createPipeline(serializer, codecs)
    made.set(serializer, pipeline)
    return pipeline
  }
}
