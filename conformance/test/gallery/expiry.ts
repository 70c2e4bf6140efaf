import { contract } from '../reference-store.ts'
import {
  acquired,
  begin,
  decides,
  goesOn,
  isLive,
  keeping,
  onBegin,
  onTransition,
  outcome,
  transition,
} from './broken.ts'

const us = 1000

/** Wrong about time. */
export const expiry = [
  decides('retention ends one microsecond late', 'C5', (record, command, now) =>
    contract(record?.expiresAt === now ? { ...record, expiresAt: now + 1 } : record, command, now),
  ),
  decides('retention ends one millisecond early', 'C5', (record, command, now) =>
    contract(record && record.expiresAt - us <= now ? { ...record, expiresAt: now } : record, command, now),
  ),
  decides('get shows what has expired', 'C5', (record, command, now) =>
    contract(
      record && command.op === 'get' ? { ...record, expiresAt: Math.max(record.expiresAt, now + us) } : record,
      command,
      now,
    ),
  ),
  decides(
    'a settle revives what has expired',
    'C5',
    onTransition((record, token, change, now) =>
      record && record.expiresAt <= now && record.state === 'in_progress'
        ? transition({ ...record, expiresAt: now + 1 }, token, change, now)
        : undefined,
    ),
  ),
  decides(
    'lost shows what has expired',
    'C5',
    onTransition((record, token, change, now) =>
      record && record.expiresAt <= now && record.state === 'completed'
        ? { record, reply: transition({ ...record, expiresAt: now + 1 }, token - 1, change, now).reply }
        : undefined,
    ),
  ),
  decides(
    'a begin replays what has expired',
    'C5',
    onBegin((record, claim, now) =>
      record?.state === 'completed' && record.expiresAt <= now
        ? begin({ ...record, expiresAt: now + 1 }, claim, now)
        : undefined,
    ),
  ),
  decides(
    'retention counts from the begin, not from the lease',
    'C11-after',
    keeping((kept, before, reply, now) =>
      acquired(reply) && kept !== before
        ? { ...kept, expiresAt: now + Math.max(kept.leaseUntil - now, kept.expiresAt - kept.leaseUntil) }
        : kept,
    ),
  ),
  decides(
    'retention counts from the release, not from its delay',
    'C11-after',
    onTransition((record, token, change, now) =>
      change.to === 'released' && record
        ? transition(
            { ...record, expiresAt: now + 1 },
            token,
            { ...change, retentionMs: Math.max(0, change.retentionMs - change.delayMs) },
            now,
          )
        : undefined,
    ),
  ),
  decides(
    'a renew shortens the lease',
    'C11',
    onTransition((record, token, change, now) =>
      record?.state === 'in_progress' && change.to === 'renew' && record.token === token && record.expiresAt > now
        ? transition({ ...record, leaseUntil: 0 }, token, change, now)
        : undefined,
    ),
  ),
  decides(
    'a renew shortens the retention',
    'C11',
    onTransition((record, token, change, now) => {
      if (change.to !== 'renew') return
      const { record: kept, reply } = transition(record, token, change, now)
      if (!kept || outcome(reply) !== 'ok') return
      return { record: { ...kept, expiresAt: kept.leaseUntil + (change.retentionMs ?? 0) * us }, reply }
    }),
  ),
  decides(
    'a renew ignores its retention',
    'C11',
    onTransition((record, token, change, now) =>
      change.to === 'renew' ? transition(record, token, { ...change, retentionMs: 0 }, now) : undefined,
    ),
  ),
  decides(
    'a renewed lease outlives its record',
    'C11',
    onTransition((record, token, change, now) => {
      const { record: kept, reply } = transition(record, token, change, now)
      if (change.to !== 'renew' || !kept || !record) return
      return { record: { ...kept, expiresAt: record.expiresAt }, reply }
    }),
  ),
  decides(
    'a takeover shortens the retention',
    'C11',
    onBegin((record, claim, now) =>
      goesOn(record, claim, now) ? begin({ ...record, expiresAt: now + 1 }, claim, now) : undefined,
    ),
  ),
  decides(
    'a takeover does not extend the retention',
    'C11',
    onBegin((record, claim, now) =>
      goesOn(record, claim, now) ? begin(record, { ...claim, retentionMs: 0 }, now) : undefined,
    ),
  ),
  decides(
    'a result keeps the retention of the claim',
    'C3-transitions',
    keeping((kept, before) =>
      kept.state === 'completed' && before?.state === 'in_progress'
        ? { ...kept, expiresAt: Math.max(before.expiresAt, kept.expiresAt) }
        : kept,
    ),
  ),
  decides(
    'durations above 2^31 ms wrap',
    'C11-durations',
    onBegin((record, claim, now) => begin(record, { ...claim, leaseMs: Math.max(0, claim.leaseMs | 0) }, now)),
  ),
  decides(
    'durations are cut to 24.8 days',
    'C11-durations',
    onTransition((record, token, change, now) =>
      'retentionMs' in change && change.retentionMs !== undefined
        ? transition(record, token, { ...change, retentionMs: Math.min(change.retentionMs, 2 ** 31 - 1) }, now)
        : undefined,
    ),
  ),
  decides(
    'durations are cut to whole seconds',
    'C11-durations',
    onBegin((record, claim, now) =>
      begin(
        record,
        {
          ...claim,
          leaseMs: Math.floor(claim.leaseMs / 1000) * 1000,
          retentionMs: Math.floor(claim.retentionMs / 1000) * 1000,
        },
        now,
      ),
    ),
  ),
  decides(
    'expiry is kept in whole seconds',
    'C11-durations',
    keeping((kept) => ({
      ...kept,
      expiresAt: Math.ceil(kept.expiresAt / 1_000_000) * 1_000_000,
    })),
  ),
  decides('a forgotten record can be read', 'C14', (record, command, now) =>
    contract(
      record?.state === 'tombstone' && command.op === 'get' ? { ...record, state: 'released' } : record,
      command,
      now,
    ),
  ),
  decides(
    'a tombstone stands in the way of a begin',
    'C14',
    onBegin((record, claim, now) =>
      record?.state === 'tombstone' && record.expiresAt > now
        ? begin(
            { ...record, state: 'in_progress', fingerprint: claim.fingerprint, leaseUntil: record.expiresAt },
            claim,
            now,
          )
        : undefined,
    ),
  ),
  decides(
    'a forget keeps the fingerprint',
    'C14',
    onBegin((record, claim, now) =>
      record?.state === 'tombstone' && record.expiresAt > now && claim.fingerprint === 'other'
        ? begin({ ...record, state: 'completed', fingerprint: 'fingerprint' }, claim, now)
        : undefined,
    ),
  ),
  decides(
    'a forget keeps the attempts',
    'C14',
    onBegin((record, claim, now) => {
      if (record?.state !== 'tombstone') return
      const { record: kept, reply } = begin(record, claim, now)
      return { record: kept && { ...kept, attempt: 2 }, reply: { ...reply, attempt: 2 } as never }
    }),
  ),
  ...(['result', 'checkpoint', 'request'] as const).map((field) =>
    decides(`a new incarnation shows the old ${field}`, 'C16', (record, command, now) => {
      const { record: kept, reply } = contract(record, command, now)
      return kept && record && acquired(reply) && !isLive(record, now)
        ? { record: { ...kept, [field]: kept[field] ?? record[field] }, reply }
        : { record: kept, reply }
    }),
  ),
]
