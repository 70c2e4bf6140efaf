/** Logs events with loggers that take fields first, such as pino, or the message first, such as winston. */
import type { EventType, Idempotency } from '@retryproof/core'

/** The methods of pino that are used. */
export interface EventLogger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** The methods of winston that are used. */
export interface MessageFirstLogger {
  debug(message: string, fields: object): unknown
  info(message: string, fields: object): unknown
  warn(message: string, fields: object): unknown
  error(message: string, fields: object): unknown
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

/**
 * Returns a logger for `logEvents` that gives the message first, as winston and the console take it. Errors become plain
 * objects, which every format prints.
 *
 * @example
 * import { createIdempotency } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 * import { logEvents, messageFirst } from '@retryproof/opentelemetry'
 * import { createLogger, transports } from 'winston'
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'payments' })
 * const stop = logEvents(idempotency, messageFirst(createLogger({ transports: new transports.Console() })))
 */
export function messageFirst(logger: MessageFirstLogger): EventLogger {
  return {
    debug: (fields, message) => logger.debug(message, printable(fields)),
    info: (fields, message) => logger.info(message, printable(fields)),
    warn: (fields, message) => logger.warn(message, printable(fields)),
    error: (fields, message) => logger.error(message, printable(fields)),
  }
}

function printable(fields: object): object {
  const { err } = fields as { err?: unknown }
  if (!(err instanceof Error)) return fields
  const { name, message, stack } = err
  return { ...fields, err: { ...err, name, message, stack } }
}
