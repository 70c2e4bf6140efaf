/** Makes a span for each attempt, inside the span of its call. A call without an attempt adds an event to that span. */
import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { AttemptEvent, EventBase, Idempotency } from '@retryproof/core'
import { attributes, spanAttributes } from './names.ts'

/** Bounds the spans of attempts that never end (a transaction that was rolled back emits no event). */
const MAX_OPEN = 10_000

type Named = EventBase & Partial<AttemptEvent>

/** The spans of attempts. Listeners that run between `startWith` and `endWith` find the span of an attempt open. */
export interface AttemptSpans {
  /** Listens to what opens a span. Returns the functions that stop it. */
  startWith(idempotency: Pick<Idempotency, 'on'>): (() => void)[]
  /** Listens to what ends a span. Returns the functions that stop it. */
  endWith(idempotency: Pick<Idempotency, 'on'>): (() => void)[]
  /** Returns the active context, with the span of the attempt where it is open: exemplars lead to it. */
  contextOf(event: Named): Context
}

export function attemptSpans(tracer: Tracer, label: (operation: string) => string): AttemptSpans {
  const open = new Map<string, Span>()
  const nameOf = ({ key, token }: Named) => `${key} ${token}`

  function start(event: AttemptEvent & { interrupted: boolean }): void {
    const span = tracer.startSpan(`attempt ${label(event.operation)}`, {
      attributes: { [attributes.interrupted]: event.interrupted, ...describe(event, label) },
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
    if (problem) {
      span.setAttribute(attributes.errorType, outcome)
      span.setStatus({ code: SpanStatusCode.ERROR, message: problem })
    }
    span.end()
  }

  function addEvent(event: EventBase, outcome: string): void {
    const details = { [attributes.outcome]: outcome, ...describe(event, label) }
    trace.getActiveSpan()?.addEvent(`retryproof.${outcome}`, details)
  }

  return {
    startWith: (idempotency) => [idempotency.on('started', start)],
    endWith: (idempotency) => [
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
    ],
    contextOf(event) {
      const span = open.get(nameOf(event))
      return span ? trace.setSpan(context.active(), span) : context.active()
    },
  }
}

function describe(event: Named, label: (operation: string) => string): Attributes {
  const { namespace, operation, key, attempt, token } = event
  return {
    [attributes.namespace]: namespace,
    [attributes.operation]: label(operation),
    [spanAttributes.key]: key,
    ...(attempt !== undefined && { [spanAttributes.attempt]: attempt }),
    ...(token !== undefined && { [spanAttributes.token]: token }),
  }
}
