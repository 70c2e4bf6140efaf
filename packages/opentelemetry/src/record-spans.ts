/** A span for each attempt, inside the span of its call; what happens to a call without an attempt is told on that span. */
import { type Attributes, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import type { AttemptEvent, EventBase } from '@retryproof/core'
import { attributes, spanAttributes } from './names.ts'
import type { Instrumented } from './scope.ts'

/** Attempts whose end is never told (a transaction that was rolled back) are not remembered for ever. */
const MAX_OPEN = 10_000

/** Gives back what stops it. */
export function recordSpans(
  idempotency: Instrumented,
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

  /** Ends the attempt's span; where it has none (its lease was lost before), the caller's span is told. */
  function end(event: AttemptEvent, outcome: string, problem?: string): void {
    const span = open.get(nameOf(event))
    if (!span) {
      tell(event, outcome)
      return
    }
    open.delete(nameOf(event))
    span.setAttribute(attributes.outcome, outcome)
    if (problem) span.setStatus({ code: SpanStatusCode.ERROR, message: problem })
    span.end()
  }

  function tell(event: EventBase, outcome: string): void {
    const told = { ...describe(event, label), [attributes.outcome]: outcome }
    trace.getActiveSpan()?.addEvent(`retryproof.${outcome}`, told)
  }

  return [
    idempotency.on('started', start),
    idempotency.on('completed', (event) => end(event, 'completed')),
    idempotency.on('failed', (event) => end(event, 'failed', 'The handler failed, and its failure is replayed.')),
    idempotency.on('released', (event) => end(event, 'released')),
    idempotency.on('parked', (event) => end(event, 'parked', 'What became of the write is unknown.')),
    idempotency.on('unrecorded', (event) => end(event, 'unrecorded', event.reason)),
    idempotency.on('leaseLost', (event) => end(event, 'lease_lost', 'The lease was over, or another holds the key.')),
    idempotency.on('replayed', (event) => tell(event, 'replayed')),
    idempotency.on('conflict', (event) => tell(event, 'conflict')),
    idempotency.on('keyReused', (event) => tell(event, 'mismatch')),
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
