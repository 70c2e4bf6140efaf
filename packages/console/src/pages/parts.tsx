/** @jsxImportSource hono/jsx */
/** Small parts that several pages share. Text from a store is shown isolated, without characters that could turn a line around. */
import type { ListedRecord, RecordState } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import { duration, neutralize, neutralizeLines, stateName } from '@retryproof/http/internal'
import type { Child } from 'hono/jsx'

/** Text from elsewhere, on one line, in its own direction. */
export const Foreign = ({ text }: { text: string }) => <bdi>{neutralize(text)}</bdi>

/** Text from elsewhere, of several lines. */
export const ForeignBlock = ({ text, label }: { text: string; label: string }) => (
  // a region that scrolls must be reachable by keyboard
  <section class="value" tabindex={0} aria-label={`${label}, as text`}>
    <pre dir="ltr">{neutralizeLines(text)}</pre>
  </section>
)

const MARKS: Readonly<Record<RecordState, string>> = {
  parked: '!',
  failed: '×',
  in_progress: '▸',
  released: '↺',
  completed: '✓',
}

/** A state by its name, its sign and its color. */
export const State = ({ state }: { state: RecordState }) => (
  <span class={`state ${stateName(state)}`}>
    <span aria-hidden="true">{MARKS[state]}</span> {stateName(state).replace('-', ' ')}
  </span>
)

/** A storage key: whole for copying, or with its digest shortened. */
export function StorageKey({ name, short = false }: { name: string; short?: boolean }) {
  const { namespace, operation, digest } = partsOf(name)
  return (
    <code class="key" title={short ? neutralize(name) : undefined}>
      <span class="namespace">{neutralize(namespace)}.</span>
      <b>{neutralize(operation)}</b>
      <span class="digest">.{neutralize(short ? `${digest.slice(0, 8)}…${digest.slice(-4)}` : digest)}</span>
    </code>
  )
}

/** A time that the page's script counts down. */
export const Countdown = ({ ms }: { ms: number }) => <span data-countdown-ms={ms}>{duration(ms)}</span>

export const Notice = ({ kind, children }: { kind: 'good' | 'bad' | 'warning'; children: Child }) => (
  <div class={`notice ${kind}`} role={kind === 'bad' ? 'alert' : 'status'}>
    {typeof children === 'string' ? neutralize(children) : children}
  </div>
)

/** A lease, or the delay of a release, in words. */
export function Lease({ state, leaseRemainingMs, leaseExpiredMs }: Partial<ListedRecord>) {
  if (state !== 'in_progress' && state !== 'released') return <span class="quiet">–</span>
  const isReleased = state === 'released'
  if (leaseRemainingMs) {
    return (
      <span>
        {isReleased ? 'next attempt in ' : ''}
        <Countdown ms={leaseRemainingMs} />
        {isReleased ? '' : ' left'}
      </span>
    )
  }
  if (isReleased) return <span>free for the next attempt</span>
  return <strong class="overdue">{leaseExpiredMs ? `expired ${duration(leaseExpiredMs)} ago` : 'expired'}</strong>
}

/** Text as a field can hold it: without control characters. A field keeps the direction of its text to itself. */
export const typedText = (text: string): string => text.replace(/[^\P{Cc}\n\t]/gu, '')

/** Hidden fields of every form that changes something. */
export const FormToken = ({ token }: { token: string }) => <input type="hidden" name="form-token" value={token} />
