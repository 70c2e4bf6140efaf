import { type Change, type Claim, type RecordView, reduce } from '@retryproof/core'
import { expect, test } from 'vitest'
import { checkHistory, type HistoryEntry } from '../src/index.ts'

const HOUR_MS = 3_600_000
const claim: Claim = { owner: 'a', fingerprint: 'f', leaseMs: HOUR_MS, retentionMs: 2 * HOUR_MS }
const longer: Change = { to: 'renew', leaseMs: 2 * HOUR_MS, retentionMs: 0 }
const remembered: Change = { to: 'renew', leaseMs: HOUR_MS, retentionMs: 2 * HOUR_MS }

/** What stands there after the acquisition and these renewals, one after the other. */
function standing(...changes: Change[]): RecordView | null {
  let { record } = reduce(null, { op: 'begin', claim }, 0)
  for (const change of changes) ({ record } = reduce(record, { op: 'transition', token: 1, change }, 0))
  return reduce(record, { op: 'get' }, 0).reply
}

/** Two renewals at once, and who looks afterwards. */
function history(seen: RecordView | null): HistoryEntry[] {
  const { reply } = reduce(null, { op: 'begin', claim }, 0)
  const ok = { outcome: 'ok', applied: true } as const
  const common = { client: 0, key: 'key', elapsedMs: 0 }
  return [
    { ...common, called: 0, returned: 1, command: { op: 'begin', claim }, reply },
    { ...common, called: 2, returned: 5, command: { op: 'transition', token: 1, change: remembered }, reply: ok },
    { ...common, called: 3, returned: 4, command: { op: 'transition', token: 1, change: longer }, reply: ok },
    { ...common, called: 6, returned: 7, command: { op: 'get' }, reply: seen },
  ]
}

test('a renewal that changes nothing where it fits first may still have come second', () => {
  expect(standing(remembered)).toEqual(standing())
  expect(standing(longer, remembered)).not.toEqual(standing(remembered, longer))
  checkHistory(history(standing(longer, remembered)))
  checkHistory(history(standing(remembered, longer)))
  expect(() => checkHistory(history(standing()))).toThrow('no order')
})
