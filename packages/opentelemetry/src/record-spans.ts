/** Makes a span for each attempt, inside the span of its call. A call without an attempt adds an event to that span. */
import { type Attributes, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import type { AttemptEvent, EventBase, Idempotency } from '@retryproof/core'
import { attributes, spanAttributes } from './names.ts'

/** Bounds the spans of attempts that never end (a transaction that was rolled back emits no event). */
const MAX_OPEN = 10_000

/** Returns the functions that stop it. */
export function recordSpans(
  idempotency: Pick<Idempotency, 'on'>,
  tracer: Tracer,
  label: (operation: string) => string,
): (() => void)[] {
  const open = new Map<string, Span>()
  const nameOf = ({ key, token }: AttemptEvent) => `${key} ${token}`

  function start(event: AttemptEvent & { interrupted: boolean }): void {
    const span = tracer.startSpan(`attempt ${label(event.operation)}`, {
      attributes: { ...describe(event, label), [attributes.interrupted]: event.interrupted },
    })
    open.set(nameOf(event), span)
    for (const oldest of open.keys()) {
      if (open.size <= MAX_OPEN) break
      open.delete(oldest)
    }
  }

  /** Ends the span of an attempt. Adds an event to the caller's span if that span has ended: its lease was lost before. */
  function end(event: AttemptEvent, outcome: string, problem?: string): void {
    const span = open.get(nameOf(event))
    if (!span) {
      addEvent(event, outcome)
      return
    }
    open.delete(nameOf(event))
    span.setAttribute(attributes.outcome, outcome)
    if (problem) span.setStatus({ code: SpanStatusCode.ERROR, message: problem })
    span.end()
  }

  function addEvent(event: EventBase, outcome: string): void {
    const details = { ...describe(event, label), [attributes.outcome]: outcome }
    trace.getActiveSpan()?.addEvent(`retryproof.${outcome}`, details)
  }

  return [
    idempotency.on('started', start),
    idempotency.on('completed', (event) => end(event, 'completed')),
    idempotency.on('failed', (event) => end(event, 'failed', 'The handler failed, and its failure is recorded.')),
    idempotency.on('released', (event) => end(event, 'released')),
    idempotency.on('parked', (event) => end(event, 'parked', 'The outcome of the write is unknown.')),
    idempotency.on('unrecorded', (event) => end(event, 'unrecorded', event.reason)),
    idempotency.on('leaseLost', (event) =>
      end(event, 'lease_lost', 'The lease expired, or another attempt holds the key.'),
    ),
    idempotency.on('replayed', (event) => addEvent(event, 'replayed')),
    idempotency.on('conflict', (event) => addEvent(event, 'conflict')),
    idempotency.on('keyReused', (event) => addEvent(event, 'key_reused')),
  ]
}

function describe(event: EventBase & Partial<AttemptEvent>, label: (operation: string) => string): Attributes {
  const { namespace, operation, key, attempt, token } = event
  return {
    [attributes.namespace]: namespace,
    [attributes.operation]: label(operation),
    [spanAttributes.key]: key,
    ...(attempt !== undefined && { [spanAttributes.attempt]: attempt }),
    ...(token !== undefined && { [spanAttributes.token]: token }),
  }
}
