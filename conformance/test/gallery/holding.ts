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
  wraps,
} from './broken.ts'

const us = 1000

/** Wrong about who holds a key. */
export const holding = [
  decides(
    'everybody acquires',
    'C1',
    onBegin((record, claim, now) =>
      isLive(record, now) && record.state === 'in_progress'
        ? begin({ ...record, leaseUntil: now }, claim, now)
        : undefined,
    ),
  ),
  decides(
    'a lease ends one microsecond late',
    'C1',
    onBegin((record, claim, now) =>
      record && record.leaseUntil === now ? begin({ ...record, leaseUntil: now + 1 }, claim, now) : undefined,
    ),
  ),
  decides(
    'a lease ends one millisecond early',
    'C1',
    onBegin((record, claim, now) =>
      record?.state === 'in_progress'
        ? begin({ ...record, leaseUntil: record.leaseUntil - us }, claim, now)
        : undefined,
    ),
  ),
  decides('in progress is thrown, not answered', 'C1', (record, command, now) => {
    const decided = contract(record, command, now)
    if (outcome(decided.reply) === 'in_progress') throw new Error('locked')
    return decided
  }),
  decides(
    'owners are not looked at: a repeated begin waits for itself',
    'C8',
    onBegin((record, claim, now) =>
      isLive(record, now) && record.owner === claim.owner ? begin(record, { ...claim, owner: '?' }, now) : undefined,
    ),
  ),
  decides(
    'a repeated begin gets a new token',
    'C8',
    onBegin((record, claim, now) =>
      record?.state === 'in_progress' && record.owner === claim.owner && isLive(record, now)
        ? begin({ ...record, leaseUntil: 0 }, { ...claim, owner: `${claim.owner}!` }, now)
        : undefined,
    ),
  ),
  decides('a repeated begin renews the lease', 'C8', (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    return command.op === 'begin' && kept && kept === record && acquired(reply)
      ? { record: { ...kept, leaseUntil: Math.max(kept.leaseUntil, now + command.claim.leaseMs * us) }, reply }
      : { record: kept, reply }
  }),
  decides('a repeated begin replaces the request', 'C8', (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    return command.op === 'begin' && kept && kept === record && acquired(reply)
      ? { record: { ...kept, request: command.claim.request ?? null }, reply }
      : { record: kept, reply }
  }),
  decides(
    'an owner keeps its claim after it released',
    'C13',
    onBegin((record, claim, now) =>
      isLive(record, now) && record.state === 'released' && claim.owner === 'holder'
        ? begin({ ...record, leaseUntil: 0 }, claim, now)
        : undefined,
    ),
  ),
  decides(
    'owners compare without case',
    'C8-owners',
    onBegin((record, claim, now) =>
      record
        ? begin({ ...record, owner: record.owner.toLowerCase() }, { ...claim, owner: claim.owner.toLowerCase() }, now)
        : undefined,
    ),
  ),
  decides(
    'a takeover loses the checkpoint',
    'C12',
    onBegin((record, claim, now) =>
      goesOn(record, claim, now) ? begin({ ...record, checkpoint: null }, claim, now) : undefined,
    ),
  ),
  decides(
    'a takeover brings its own request',
    'C12',
    onBegin((record, claim, now) =>
      goesOn(record, claim, now) ? begin({ ...record, request: claim.request ?? null }, claim, now) : undefined,
    ),
  ),
  decides(
    'a takeover is attempt 1 again',
    'C12',
    onBegin((record, claim, now) =>
      goesOn(record, claim, now) ? begin({ ...record, attempt: 0 }, claim, now) : undefined,
    ),
  ),
  decides(
    'a takeover does not say that it is one',
    'C12',
    onBegin((record, claim, now) =>
      goesOn(record, claim, now) ? begin({ ...record, state: 'released' }, claim, now) : undefined,
    ),
  ),
  decides(
    'the owner stays the one that was taken over',
    'C8',
    keeping((kept, before, reply) =>
      acquired(reply) && before && kept.attempt > 1 ? { ...kept, owner: before.owner } : kept,
    ),
  ),
  decides(
    'every next attempt counts as interrupted',
    'C13',
    onBegin((record, claim, now) =>
      goesOn(record, claim, now) ? begin({ ...record, interrupted: true }, claim, now) : undefined,
    ),
  ),
  decides(
    'once interrupted, always interrupted',
    'C13-interrupted',
    onTransition((record, token, change, now) =>
      record?.interrupted && change.to === 'released'
        ? transition(record, token, { ...change, unresolved: true }, now)
        : undefined,
    ),
  ),
  decides(
    'a release never counts as unresolved',
    'C13',
    onTransition((record, token, change, now) =>
      change.to === 'released' ? transition(record, token, { ...change, unresolved: false }, now) : undefined,
    ),
  ),
  decides(
    'a release ignores its delay',
    'C13',
    onTransition((record, token, change, now) =>
      change.to === 'released' ? transition(record, token, { ...change, delayMs: 0 }, now) : undefined,
    ),
  ),
  decides(
    'a released record waits for its lease all the same',
    'C13',
    keeping((kept, before) =>
      kept.state === 'released' && before?.state === 'in_progress'
        ? { ...kept, leaseUntil: Math.max(kept.leaseUntil, before.leaseUntil) }
        : kept,
    ),
  ),
  decides(
    'a parked record can be taken over',
    'C9-parked',
    onBegin((record, claim, now) =>
      record?.state === 'parked' ? begin({ ...record, state: 'in_progress', owner: '' }, claim, now) : undefined,
    ),
  ),
  decides(
    'a parked record cannot be resolved',
    'C9-parked',
    onTransition((record, token, change, now) =>
      record?.state === 'parked' && change.to !== 'forgotten' && change.to !== 'parked'
        ? transition(record, token - 1, change, now)
        : undefined,
    ),
  ),
  wraps('a begin waits until the lease is over', 'C23', (store) => ({
    async begin(key, claim) {
      for (;;) {
        const reply = await store.begin(key, claim)
        if (reply.outcome !== 'in_progress') return reply
        await new Promise((resolve) => setTimeout(resolve, 20).unref())
      }
    },
  })),
]
