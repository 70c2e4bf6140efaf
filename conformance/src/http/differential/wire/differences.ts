/** Compares an answer behind the guard with the same one without it. */
import assert from 'node:assert/strict'
import type { Application, Ending, Form, Recorded } from '../application.ts'
import { comparable, fieldOf, linesOf, type Wire } from './wire.ts'

/** Statuses that say: not now, not yet, not you. They release the key. */
const passing = new Set([207, 401, 403, 407, 408, 412, 423, 425, 428, 429])

/** One ending in one form. */
export interface Compared {
  readonly application: Application
  readonly ending: Ending
  readonly form: Form
}

export interface Guarded extends Compared {
  readonly first: Wire
  readonly recorded: Recorded
}

/** @throws AssertionError unless the guard changed nothing of the answer */
export function assertSameWire({ application, ending: { end }, form }: Compared, bare: Wire, guarded: Wire): void {
  const { isFetch } = application
  if (bare.isWhole) {
    assert.deepEqual(linesOf(guarded, bare, isFetch), linesOf(bare, guarded, isFetch), form)
  } else if (guarded.isWhole) {
    // the part that was cut is held, so that an error handler can still answer
    assert.equal(end, 'threw', `${form}: what is cut without a guard is whole: ${linesOf(guarded, bare)}`)
  } else {
    const isPart = bare.body.subarray(0, guarded.body.length).equals(guarded.body) && guarded.rest.length === 0
    assert.ok(isPart, `${form}: no part of what is cut without a guard: ${linesOf(guarded, bare)}`)
  }
}

/** Tells whether an answer of this status, to a handler that ended so, settles the key. */
function settles({ end, released }: Ending, form: Form, { head, isWhole }: Wire): boolean {
  if (!head || !isWhole || released?.includes(form)) return false
  if (head.status >= 500 || passing.has(head.status)) return false
  return end === 'answered' || head.status >= 400
}

/** Tells whether the guard never learns how the handler ended, so that its key stays held. */
export function leavesKeyHeld({ end }: Ending): boolean {
  return end === 'silent' || end === 'hijacked'
}

function isSuccess({ head }: Wire): boolean {
  return head !== undefined && head.status < 400
}

/** @throws AssertionError unless the store has what the contract says */
export function assertRecord({ ending, form, first, recorded }: Guarded): void {
  const state = leavesKeyHeld(ending) ? 'in_progress' : settles(ending, form, first) ? 'completed' : 'released'
  assert.deepEqual([recorded.state, recorded.runs], [state, 1], `${form}: the record`)
  const commits = form === 'transaction' && ending.end === 'answered' && state === 'completed' && isSuccess(first)
  assert.equal(recorded.isWritten, commits, `${form}: what the handler wrote is committed`)
}

/** Belong to one moment or one client, and are never replayed. */
const fleeting = new Set(['date', 'connection', 'keep-alive', 'content-length', 'transfer-encoding', 'set-cookie'])

function lasting({ head, body }: Wire, isFetch = false): unknown[] {
  const fields = (head?.fields ?? []).filter(([name]) => {
    const lower = name.toLowerCase()
    return !fleeting.has(lower) && !lower.startsWith('trailer') && lower !== 'idempotency-replayed'
  })
  const [, ...lines] = head ? comparable({ ...head, fields }, false, isFetch) : []
  return [head?.status, lines.map((line) => line.toLowerCase()).sort(), body.toString('latin1')]
}

/** @throws AssertionError unless a retry gets what the record says */
export function assertRetry(guarded: Guarded, retry: Wire, after: Recorded): void {
  const { ending, form, first, recorded } = guarded
  const isReplay = retry.head && fieldOf(retry.head.fields, 'idempotency-replayed') === 'true'
  if (recorded.state === 'in_progress') {
    assert.deepEqual([retry.head?.status, after.runs], [409, 1], `${form}: a retry of one in progress`)
  } else if (recorded.state === 'released') {
    assert.equal(after.runs, 2, `${form}: a retry of a released key runs`)
    assertSameWire(guarded, first, retry)
  } else if (ending.unreplayable?.includes(form)) {
    assert.deepEqual([retry.head?.status, after.runs], [410, 1], `${form}: a retry of what cannot be replayed`)
  } else {
    assert.deepEqual([isReplay, after.runs], [true, 1], `${form}: a retry is replayed`)
    const { isFetch } = guarded.application
    assert.deepEqual(lasting(retry, isFetch), lasting(first, isFetch), `${form}: the replay`)
  }
}
