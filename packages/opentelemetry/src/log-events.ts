/** Logs events with loggers that take fields first, such as pino. */
import type { EventType, Idempotency } from '@retryproof/core'

/** The methods of pino that are used. */
export interface EventLogger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Level and message of each event. */
const lines: Record<EventType, readonly [level: keyof EventLogger, message: string]> = {
  started: ['debug', 'An attempt begins'],
  replayed: ['debug', 'Answered from the record'],
  conflict: ['debug', 'Another attempt holds this key'],
  renewed: ['debug', 'The lease was renewed'],
  completed: ['debug', 'Completed and recorded'],
  released: ['info', 'Released: the next call runs it again'],
  failed: ['info', 'Failed, and recorded'],
  keyReused: ['warn', 'This key was used before with another payload'],
  takeover: ['warn', 'Took over after an expired lease: the outcome of the earlier attempt is unknown'],
  leaseLost: ['warn', 'The lease expired, or another attempt holds the key'],
  parked: ['warn', 'Parked: waits for a resolution'],
  recoveryFailed: ['error', 'A recovery failed: the record waits for the next pass'],
  unrecorded: ['error', 'Done, but not recorded: a retry may repeat it'],
  storeUnavailable: ['error', 'The store is unavailable'],
}

/**
 * Logs every event with its fields. Fields hold digests of keys and no payloads. An error is the field `err`, which
 * pino serializes. Returns a function that stops it.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { logEvents } from '@retryproof/opentelemetry'
 * import pino from 'pino'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const stop = logEvents(idempotency, pino())
 */
export function logEvents(idempotency: Pick<Idempotency, 'on'>, logger: EventLogger): () => void {
  const stops = (Object.keys(lines) as EventType[]).map((type) => {
    const [level, message] = lines[type]
    return idempotency.on(type, (event) => {
      const { error, ...fields } = event as typeof event & { error?: unknown }
      logger[level]({ event: type, ...fields, ...(error !== undefined && { err: error }) }, message)
    })
  })
  return () => {
    for (const stop of stops) stop()
  }
}
