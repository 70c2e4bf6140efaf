import assert from 'node:assert/strict'
import { getRandomValues } from 'node:crypto'
import type { RecordView } from '@retryproof/core'
import type { Change } from '@retryproof/core/store'
import type { Check } from '../../check.ts'
import { type AnyStore, withStore } from '../../harness.ts'
import { appliedOf } from '../../model/history.ts'
import { readable, readableBytes } from '../../model/readable.ts'
import { createTwin, manualClock } from '../../model/side-by-side.ts'
import { freshKey } from '../../tools/keys.ts'

const MIB = 1024 * 1024
const LASTING = { leaseMs: 3_600_000, retentionMs: 3_600_000 }

export const valueChecks: readonly Check[] = [
  {
    id: 'C20',
    title: 'requests, checkpoints and results come back byte for byte, up to 1 MiB',
    clauses: ['C20'],
    needs: [],
    run: (harness) => {
      const clock = manualClock()
      return withStore(harness, clock, async (store) => {
        const twin = createTwin(store, clock)
        for (const value of values(Math.min(MIB, store.capabilities.maxValueBytes))) {
          const key = freshKey('value')
          const { token } = await twin.begin({ owner: 'one', request: value, leaseMs: 0, retentionMs: 60_000 }, key)
          await twin.transition(token, { to: 'renew', leaseMs: 0, checkpoint: { seq: 0, data: value } }, key)
          await twin.get(key)
          const taken = await twin.begin({ owner: 'two', leaseMs: 0, retentionMs: 60_000 }, key)
          await twin.transition(taken.token, { to: 'completed', result: value, retentionMs: 60_000 }, key)
          await twin.begin({ owner: 'three' }, key)
          await twin.transition(token, { to: 'parked', retentionMs: 60_000 }, key)
          await twin.get(key)
        }
      })
    },
  },
  {
    id: 'C20-aliasing',
    title: 'bytes belong to the store once a call has returned, and to the caller once a reply has',
    clauses: ['C20'],
    needs: [],
    run: (harness) =>
      withStore(harness, manualClock(), async (store) => {
        for (const key of [freshKey('alias'), freshKey('alias')]) await assertNoAliases(store, key)
      }),
  },
  {
    id: 'C20-limit',
    title: 'a value above maxValueBytes is refused, and nothing changes',
    clauses: ['C20'],
    needs: ['maxValueBytes'],
    run: (harness) =>
      withStore(harness, manualClock(), async (store) => {
        const { maxValueBytes } = store.capabilities
        const tooLarge = new Uint8Array(maxValueBytes + 1)
        const key = freshKey('limit')
        const claim = { owner: 'owner', fingerprint: 'fingerprint', ...LASTING }
        await assertRefused('a begin', store.begin(key, { ...claim, request: tooLarge }))
        assert.equal(await store.get(key), null, 'a begin that was refused must not leave a record')

        const { token } = await store.begin(key, claim)
        const before = readable(await store.get(key))
        for (const change of [
          { to: 'renew', leaseMs: 2 * LASTING.leaseMs, checkpoint: { seq: 0, data: tooLarge } },
          { to: 'completed', result: tooLarge, retentionMs: 1 },
          { to: 'failed', result: tooLarge, retentionMs: 1 },
        ] satisfies Change[]) {
          await assertRefused(`a ${change.to}`, store.transition(key, token, change))
          assert.deepEqual(
            readable(await store.get(key)),
            before,
            `a ${change.to} that was refused must change nothing`,
          )
        }
        const result = new Uint8Array(Math.min(maxValueBytes, 4 * MIB)).fill(7)
        const settled = await store.transition(key, token, { to: 'completed', result, retentionMs: 60_000 })
        assert.deepEqual(settled, { outcome: 'ok', applied: true })
        assert.equal(readableBytes((await store.get(key))?.result), readableBytes(result))
      }),
  },
]

function values(largest: number): Uint8Array[] {
  const text = (value: string) => new TextEncoder().encode(value)
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  return [
    new Uint8Array(),
    new Uint8Array([0]),
    new Uint8Array([65, 0, 66, 0]),
    all,
    all.toReversed(),
    all.subarray(100, 130), // a view into a larger buffer
    new Uint8Array([0xc3, 0x28, 0xff, 0xfe, 0xed, 0xa0, 0x80]), // no UTF-8
    new Uint8Array([0xef, 0xbb, 0xbf, 0x61]), // a byte order mark
    ...[
      '$x',
      '$$NOW',
      '__proto__',
      '{"$gt":""}',
      'null',
      'undefined',
      '',
      '\\x00',
      "'; --",
      ' a ',
      '\r\n',
      'e\u0301',
    ].map(text),
    text('a'.repeat(65)),
    randomBytes(70_000),
    randomBytes(largest),
  ]
}

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 65_536) getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

/** Writes over everything that was handed in and given out, and looks whether the record noticed. */
async function assertNoAliases(store: AnyStore, key: string): Promise<void> {
  const claim = {
    owner: 'one',
    fingerprint: 'fingerprint',
    leaseMs: 0,
    retentionMs: 3_600_000,
    request: new Uint8Array([1, 1]),
  }
  const { token } = await store.begin(key, claim)
  spoil(claim.request)
  const checkpoint = { seq: 1, data: new Uint8Array([2, 2]) }
  await store.transition(key, token, { to: 'renew', leaseMs: 0, checkpoint })
  spoil(checkpoint.data)
  checkpoint.seq = 9

  const assertContents = (
    view: RecordView | null,
    expected: Partial<Record<'request' | 'checkpoint' | 'result', string>>,
  ) => {
    if (view === null) assert.fail('the record must still be there')
    const { request, checkpoint, result } = readable(view) ?? {}
    const actual = { request, checkpoint, result }
    const wanted = {
      request: expected.request ?? null,
      checkpoint: expected.checkpoint ? { seq: 1, data: expected.checkpoint } : null,
      result: expected.result ?? null,
    }
    assert.deepEqual(actual, wanted, 'what a caller does to its own bytes must not reach the record')
    for (const bytes of [view.request, view.checkpoint?.data, view.result]) if (bytes) spoil(bytes)
    if (view.checkpoint) (view.checkpoint as { seq: number }).seq = 8
  }
  const [request, data, value] = ['bytes 0101', 'bytes 0202', 'bytes 0303']

  for (const _ of ['first', 'second']) assertContents(await store.get(key), { request, checkpoint: data })
  const second = await store.begin(key, { ...claim, owner: 'two', request: new Uint8Array() })
  assertContents(second, { request, checkpoint: data })
  for (const _ of ['first', 'second']) {
    assertContents(await store.begin(key, { ...claim, owner: 'two' }), { request, checkpoint: data })
  }
  const result = new Uint8Array([3, 3])
  await store.transition(key, second.token, { to: 'completed', result, retentionMs: 3_600_000 })
  spoil(result)
  for (const _ of ['first', 'second']) {
    assertContents(await store.begin(key, { ...claim, owner: 'three' }), { result: value })
    const lost = await store.transition(key, token, { to: 'parked', retentionMs: 0 })
    assert.equal(lost.outcome, 'lost')
    assertContents(lost.current, { result: value })
    assertContents(await store.get(key), { request, result: value })
  }
}

function spoil(bytes: Uint8Array): void {
  bytes.fill(0xee)
}

async function assertRefused(what: string, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => assert.fail(`${what} with a value above maxValueBytes must be refused`),
    (reason: unknown) => reason,
  )
  assert.ok(
    error instanceof Error && !(error instanceof assert.AssertionError),
    `${what} must be refused with an error`,
  )
  assert.notEqual(appliedOf(error), 'unknown', `${what} that is refused did not happen: applied must be 'no'`)
}
