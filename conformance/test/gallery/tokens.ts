import { isPurgeable } from '@retryproof/core/store'
import { contract } from '../reference-store.ts'
import { acquired, begin, decides, goesOn, isLive, keeping, onBegin, onTransition, transition } from './broken.ts'

/** Tokens that do not fence. */
export const tokens = [
  decides(
    'takeover keeps the token',
    'C2',
    onBegin((record, claim, now) => {
      if (!goesOn(record, claim, now)) return
      const { record: kept, reply } = begin(record, claim, now)
      return { record: kept && { ...kept, token: record.token }, reply: { ...reply, token: record.token } as never }
    }),
  ),
  decides(
    'tokens are the clock, also twice in one instant',
    'C2',
    onBegin((record, claim, now) =>
      record && record.owner !== claim.owner ? begin({ ...record, token: 0 }, claim, now) : undefined,
    ),
  ),
  decides(
    'tokens start again after expiry',
    'C2',
    onBegin((record, claim, now) => (record && record.expiresAt <= now ? begin(null, claim, now) : undefined)),
  ),
  decides(
    'tokens start again after a forget',
    'C2',
    onBegin((record, claim, now) => (record?.state === 'tombstone' ? begin(null, claim, now) : undefined)),
  ),
  decides('tokens count from 1', 'harness', (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    if (!kept || !acquired(reply) || kept.token === record?.token) return { record: kept, reply }
    const token = (record?.token ?? 0) + 1
    return { record: { ...kept, token }, reply: { ...reply, token } }
  }),
  decides('tokens are milliseconds', 'real-clock', (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    if (!kept || !acquired(reply) || kept.token === record?.token) return { record: kept, reply }
    const token = Math.max((record?.token ?? 0) + 1, Math.floor(now / 1000))
    return { record: { ...kept, token }, reply: { ...reply, token } }
  }),
  decides(
    'a transition ignores the token',
    'C3',
    onTransition((record, _, change, now) => (record ? transition(record, record.token, change, now) : undefined)),
  ),
  decides(
    'a transition takes a token from the future',
    'C3',
    onTransition((record, token, change, now) =>
      record && token > record.token ? transition(record, record.token, change, now) : undefined,
    ),
  ),
  decides(
    'a renew ignores the token',
    'C3',
    onTransition((record, _, change, now) =>
      record && change.to === 'renew' ? transition(record, record.token, change, now) : undefined,
    ),
  ),
  decides(
    'a forget ignores the token',
    'C3',
    onTransition((record, _, change, now) =>
      record && change.to === 'forgotten' ? transition(record, record.token, change, now) : undefined,
    ),
  ),
  decides(
    'a stale write extends the retention',
    'C3',
    onTransition((record, token, _, now) =>
      isLive(record, now) && token !== record.token
        ? { record: { ...record, expiresAt: record.expiresAt + 1000 }, reply: transition(record, token, _, now).reply }
        : undefined,
    ),
  ),
  decides(
    'a stale write is told that it was applied before',
    'C3',
    onTransition((record, token, _, now) =>
      isLive(record, now) && token !== record.token ? { record, reply: { outcome: 'ok', applied: false } } : undefined,
    ),
  ),
  decides('lost does not say what stands there', 'C3', (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    return { record: kept, reply: reply && 'current' in reply ? { outcome: 'lost', current: null } : reply }
  }),
  decides('a stale write throws', 'C3', (record, command, now) => {
    const decided = contract(record, command, now)
    if (decided.reply && 'current' in decided.reply) throw new Error('not the owner')
    return decided
  }),
  decides(
    'a released token still works',
    'C13',
    onTransition((record, token, change, now) =>
      record?.state === 'released' && change.to !== 'released'
        ? transition({ ...record, state: 'in_progress' }, token, change, now)
        : undefined,
    ),
  ),
  decides(
    'a late holder is refused although nobody took over',
    'C10',
    onTransition((record, token, change, now) =>
      record?.state === 'in_progress' && record.leaseUntil <= now
        ? transition(record, token - 1, change, now)
        : undefined,
    ),
  ),
  decides(
    'a forgotten token works on the tombstone',
    'C14',
    onTransition((record, token, change, now) =>
      record?.state === 'tombstone' && change.to !== 'forgotten'
        ? transition({ ...record, state: 'in_progress' }, token, change, now)
        : undefined,
    ),
  ),
  decides('a reply rounds the token', 'harness', (record, command, now) => {
    const decided = contract(record, command, now)
    if (!acquired(decided.reply)) return decided
    return { ...decided, reply: { ...decided.reply, token: Math.fround(decided.reply.token) } }
  }),
  decides(
    'what a sweeper removed is also forgotten by its tokens',
    'C2',
    keeping((kept, before, reply, now) =>
      acquired(reply) && before && isPurgeable(before, now, 0) === false && before.expiresAt <= now
        ? { ...kept, token: now }
        : kept,
    ),
  ),
]
