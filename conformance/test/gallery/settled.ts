import { contract } from '../reference-store.ts'
import { begin, decides, isLive, onBegin, onTransition, outcome, transition } from './broken.ts'

const us = 1000

/** Wrong about what has to stay as it is. */
export const settled = [
  decides(
    'a repeated result overwrites the first',
    'C9',
    onTransition((record, token, change, now) =>
      record?.state === 'completed' && change.to === 'completed'
        ? {
            ...transition({ ...record, state: 'in_progress' }, token, change, now),
            reply: transition(record, token, change, now).reply,
          }
        : undefined,
    ),
  ),
  decides(
    'a repeated result is lost',
    'C9',
    onTransition((record, token, change, now) =>
      record?.state === change.to && change.to === 'completed' ? transition(record, token - 1, change, now) : undefined,
    ),
  ),
  decides(
    'a repeated result counts as applied',
    'C9',
    onTransition((record, token, change, now) =>
      isLive(record, now) && record.token === token && record.state === change.to
        ? { record, reply: { outcome: 'ok', applied: true } }
        : undefined,
    ),
  ),
  decides(
    'a repeated result extends the retention',
    'C9',
    onTransition((record, token, change, now) =>
      isLive(record, now) && record.token === token && change.to === record.state && 'retentionMs' in change
        ? { record: { ...record, expiresAt: now + change.retentionMs * us }, reply: { outcome: 'ok', applied: false } }
        : undefined,
    ),
  ),
  decides(
    'a repeated release is lost',
    'C9',
    onTransition((record, token, change, now) =>
      record?.state === 'released' && change.to === 'released' ? transition(record, token - 1, change, now) : undefined,
    ),
  ),
  decides(
    'a repeated release delays again',
    'C9',
    onTransition((record, token, change, now) =>
      record?.state === 'released' && change.to === 'released' && record.token === token && record.expiresAt > now
        ? {
            ...transition({ ...record, state: 'in_progress' }, token, change, now),
            reply: { outcome: 'ok', applied: false },
          }
        : undefined,
    ),
  ),
  decides(
    'a repeated forget is lost',
    'C9',
    onTransition((record, token, change, now) =>
      record?.state === 'tombstone' && change.to === 'forgotten' ? transition(null, token, change, now) : undefined,
    ),
  ),
  decides(
    'a repeated park fails',
    'C9',
    onTransition((record, token, change, now) =>
      record?.state === 'parked' && change.to === 'parked' ? transition(record, token - 1, change, now) : undefined,
    ),
  ),
  decides(
    'a failure replaces a result',
    'C4',
    onTransition((record, token, change, now) =>
      record?.state === 'completed' && change.to === 'failed'
        ? transition({ ...record, state: 'in_progress' }, token, change, now)
        : undefined,
    ),
  ),
  decides(
    'a settled record can be released',
    'C4',
    onTransition((record, token, change, now) =>
      record && (record.state === 'completed' || record.state === 'failed') && change.to === 'released'
        ? transition({ ...record, state: 'in_progress' }, token, change, now)
        : undefined,
    ),
  ),
  decides(
    'a settled record can be renewed',
    'C4',
    onTransition((record, token, change, now) =>
      record?.state === 'completed' && change.to === 'renew' && record.token === token && record.expiresAt > now
        ? { record, reply: { outcome: 'ok', applied: true } }
        : undefined,
    ),
  ),
  decides('a replay extends the retention', 'C7', (record, command, now) => {
    const decided = contract(record, command, now)
    return command.op === 'begin' && record && outcome(decided.reply) === 'settled'
      ? { record: { ...record, expiresAt: now + command.claim.retentionMs * us }, reply: decided.reply }
      : decided
  }),
  decides('who asks extends the lease', 'C7', (record, command, now) => {
    const decided = contract(record, command, now)
    return record && outcome(decided.reply) === 'in_progress'
      ? { record: { ...record, leaseUntil: record.leaseUntil + us }, reply: decided.reply }
      : decided
  }),
  decides('who asks raises the attempt', 'C7', (record, command, now) => {
    const decided = contract(record, command, now)
    return record && outcome(decided.reply) === 'in_progress'
      ? { record: { ...record, attempt: record.attempt + 1 }, reply: decided.reply }
      : decided
  }),
  decides(
    'a failed record begins again',
    'C4',
    onBegin((record, claim, now) =>
      record?.state === 'failed' ? begin({ ...record, state: 'released', leaseUntil: 0 }, claim, now) : undefined,
    ),
  ),
  decides('a mismatch extends the retention', 'C6', (record, command, now) => {
    const decided = contract(record, command, now)
    return record && outcome(decided.reply) === 'mismatch'
      ? { record: { ...record, expiresAt: record.expiresAt + us }, reply: decided.reply }
      : decided
  }),
  decides(
    'a mismatch takes over a lapsed lease',
    'C6',
    onBegin((record, claim, now) =>
      record?.state === 'in_progress' && record.leaseUntil <= now && record.expiresAt > now
        ? begin({ ...record, fingerprint: claim.fingerprint }, claim, now)
        : undefined,
    ),
  ),
  decides(
    'fingerprints are not looked at',
    'C6',
    onBegin((record, claim, now) =>
      isLive(record, now) ? begin(record, { ...claim, fingerprint: record.fingerprint }, now) : undefined,
    ),
  ),
  decides(
    'settled comes before the fingerprint',
    'C6',
    onBegin((record, claim, now) =>
      record?.state === 'completed' ? begin(record, { ...claim, fingerprint: record.fingerprint }, now) : undefined,
    ),
  ),
  decides(
    'the same owner need not have the same fingerprint',
    'C6',
    onBegin((record, claim, now) =>
      isLive(record, now) && record.owner === claim.owner
        ? begin(record, { ...claim, fingerprint: record.fingerprint }, now)
        : undefined,
    ),
  ),
  decides(
    'fingerprints compare without case',
    'C6-bytes',
    onBegin((record, claim, now) =>
      isLive(record, now) && record.fingerprint.toLowerCase() === claim.fingerprint.toLowerCase()
        ? begin(record, { ...claim, fingerprint: record.fingerprint }, now)
        : undefined,
    ),
  ),
  decides(
    'fingerprints compare without the space at their end',
    'C6-bytes',
    onBegin((record, claim, now) =>
      isLive(record, now) && record.fingerprint.trimEnd() === claim.fingerprint.trimEnd()
        ? begin(record, { ...claim, fingerprint: record.fingerprint }, now)
        : undefined,
    ),
  ),
  decides('a mismatch shows the result of the other payload', 'C6', (record, command, now) => {
    const decided = contract(record, command, now)
    return record && outcome(decided.reply) === 'mismatch'
      ? { record, reply: { ...decided.reply, result: record.result } as never }
      : decided
  }),
]
