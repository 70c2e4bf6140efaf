/** Events as log lines, for loggers that take fields first: pino, and what is like it. */
import type { EventType } from '@retryproof/core'
import type { Instrumented } from './scope.ts'

/** The part of pino that is used. */
export interface EventLogger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** How loudly each event is told, and in which words. */
const lines: Record<EventType, readonly [level: keyof EventLogger, message: string]> = {
  started: ['debug', 'An attempt begins'],
  replayed: ['debug', 'Answered from the record'],
  conflict: ['debug', 'Another attempt holds this key'],
  renewed: ['debug', 'The lease was renewed'],
  completed: ['debug', 'Completed and recorded'],
  released: ['info', 'Handed back: the next call runs it again'],
  failed: ['info', 'Failed, and the failure is recorded'],
  keyReused: ['warn', 'This key was used before with another payload'],
  takeover: ['warn', 'An earlier attempt fell silent: what it did is unknown'],
  leaseLost: ['warn', 'The lease was over, or another holds the key'],
  parked: ['warn', 'Parked: waits until somebody resolves it'],
  unrecorded: ['error', 'Done, but not recorded: a retry may repeat it'],
  storeUnavailable: ['error', 'The store could not be reached'],
}

/**
 * Logs every event with its fields: storage keys are digests, and no payload is in them. An error stands under `err`,
 * where pino's serializer looks. Gives back a function that stops it.
 */
export function logEvents(idempotency: Instrumented, logger: EventLogger): () => void {
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
