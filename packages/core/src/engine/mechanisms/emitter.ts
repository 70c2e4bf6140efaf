/** The typed event emitter of an instance. */

import type { EventType, IdempotencyEvents } from '../../api/events.ts'
import { warn } from '../../base/warn.ts'

type Listener<Type extends EventType> = (event: IdempotencyEvents[Type]) => void

/** A typed emitter. A listener that throws, or rejects, harms neither the write nor the other listeners. */
export class Emitter {
  readonly #listeners = new Map<EventType, Set<(event: never) => void>>()

  on<Type extends EventType>(type: Type, listener: Listener<Type>): () => void {
    const listeners = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, listeners.add(listener))
    return () => {
      listeners.delete(listener)
    }
  }

  /** Emits an event. A function makes it, where anybody listens. */
  emit<Type extends EventType>(type: Type, event: IdempotencyEvents[Type] | (() => IdempotencyEvents[Type])): void {
    const listeners = this.#listeners.get(type)
    if (!listeners?.size) return
    const made = typeof event === 'function' ? event() : event
    const failed = (error: unknown) => warn(`A listener of '${type}' threw`, error)
    for (const listener of listeners) {
      const listen = listener as (event: IdempotencyEvents[Type]) => unknown
      try {
        const answer = listen(made)
        if (answer instanceof Promise) answer.catch(failed)
      } catch (error) {
        failed(error)
      }
    }
  }
}
