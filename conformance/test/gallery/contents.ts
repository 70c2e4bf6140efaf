import type { StoredRecord } from '@retryproof/core/store'
import { contract, referenceStore } from '../reference-store.ts'
import { decides, onTransition, opens, outcome, transition, wraps } from './broken.ts'

const mapValues = (record: StoredRecord, map: (bytes: Uint8Array) => Uint8Array | null): StoredRecord => {
  const data = record.checkpoint && map(record.checkpoint.data)
  return {
    ...record,
    request: record.request && map(record.request),
    checkpoint: record.checkpoint && data && { ...record.checkpoint, data },
    result: record.result && map(record.result),
  }
}
const storing = (name: string, rejectedBy: string, map: (bytes: Uint8Array) => Uint8Array | null) =>
  decides(name, rejectedBy, (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    return { record: kept && mapValues(kept, map), reply }
  })

/** Wrong about what a record carries. */
export const contents = [
  decides(
    'a checkpoint with a lower number is kept',
    'C15',
    onTransition((record, token, change, now) =>
      change.to === 'renew' && change.checkpoint && record?.checkpoint
        ? transition({ ...record, checkpoint: null }, token, change, now)
        : undefined,
    ),
  ),
  decides(
    'a checkpoint with the same number is kept',
    'C15',
    onTransition((record, token, change, now) =>
      change.to === 'renew' && record?.checkpoint && change.checkpoint?.seq === record.checkpoint.seq
        ? transition({ ...record, checkpoint: null }, token, change, now)
        : undefined,
    ),
  ),
  decides(
    'an old checkpoint keeps the lease from being renewed',
    'C15',
    onTransition((record, token, change, now) => {
      const { reply } = transition(record, token, change, now)
      const ignored = change.to === 'renew' && reply && 'applied' in reply && !reply.applied
      return ignored ? { record, reply } : undefined
    }),
  ),
  decides('an old checkpoint counts as applied', 'C15', (record, command, now) => {
    const decided = contract(record, command, now)
    return command.op === 'transition' && command.change.to === 'renew' && outcome(decided.reply) === 'ok'
      ? { ...decided, reply: { outcome: 'ok', applied: true } }
      : decided
  }),
  decides(
    'a renew without a checkpoint clears it',
    'C15',
    onTransition((record, token, change, now) =>
      record?.state === 'in_progress' && record.token === token && change.to === 'renew' && !change.checkpoint
        ? transition({ ...record, checkpoint: null }, token, change, now)
        : undefined,
    ),
  ),
  decides('a checkpoint survives the result', 'C15', (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    return {
      record: kept && kept.state === 'completed' && record ? { ...kept, checkpoint: record.checkpoint } : kept,
      reply,
    }
  }),
  decides('a release clears the checkpoint', 'C15', (record, command, now) => {
    const { record: kept, reply } = contract(record, command, now)
    return { record: kept?.state === 'released' ? { ...kept, checkpoint: null } : kept, reply }
  }),
  decides(
    'checkpoint 0 is no checkpoint',
    'C15-empty',
    onTransition((record, token, change, now) =>
      change.to === 'renew' && change.checkpoint?.seq === 0
        ? transition(record, token, { to: 'renew', leaseMs: change.leaseMs }, now)
        : undefined,
    ),
  ),
  storing('values are kept as UTF-8 text', 'C20', (bytes) =>
    new TextEncoder().encode(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)),
  ),
  storing('a byte order mark is dropped', 'C20', (bytes) =>
    bytes[0] === 0xef && bytes[1] === 0xbb ? bytes.slice(3) : bytes,
  ),
  storing('values end at the first NUL', 'C20', (bytes) =>
    bytes.slice(0, bytes.includes(0) ? bytes.indexOf(0) : undefined),
  ),
  storing('an empty value is no value', 'C20', (bytes) => (bytes.length > 0 ? bytes : null)),
  storing('a text that begins with a dollar sign is a reference', 'C20', (bytes) =>
    bytes[0] === 0x24 ? new Uint8Array() : bytes,
  ),
  storing('values are cut at 64 KiB', 'C20', (bytes) => bytes.slice(0, 65_535)),
  wraps('a view is kept as the whole buffer under it', 'C20', (store) => ({
    transition: (key, token, change) =>
      store.transition(
        key,
        token,
        change.to === 'completed' ? { ...change, result: new Uint8Array(change.result.buffer) } : change,
      ),
  })),
  opens('values are kept as the caller gave them', 'C20-aliasing', aliasing({ ownsInput: false, ownsOutput: true })),
  opens('values are given out as they are kept', 'C20-aliasing', aliasing({ ownsInput: true, ownsOutput: false })),
  wraps(
    'a value that is too large is cut',
    'C20-limit',
    (store) => ({
      begin: (key, claim) =>
        store.begin(key, { ...claim, ...(claim.request && { request: claim.request.slice(0, 4096) }) }),
    }),
    { capabilities: { maxValueBytes: 4096 } },
  ),
  wraps(
    'a value that is too large is refused after the lease was renewed',
    'C20-limit',
    (store) => ({
      async transition(key, token, change) {
        if (change.to === 'renew') await store.transition(key, token, { ...change, checkpoint: undefined } as never)
        return store.transition(key, token, change)
      },
    }),
    { capabilities: { maxValueBytes: 4096 } },
  ),
  wraps('a first attempt is given its own request back', 'C20', (store) => ({
    async begin(key, claim) {
      const reply = await store.begin(key, claim)
      return reply.outcome === 'acquired' ? { ...reply, request: reply.request ?? claim.request ?? null } : reply
    },
  })),
]

/** A store that copies on one side only. */
function aliasing({ ownsInput, ownsOutput }: { ownsInput: boolean; ownsOutput: boolean }) {
  return ({ now }: { now?: () => number }) => {
    const records = new Map<string, StoredRecord>()
    const us = () => Math.round((now?.() ?? Date.now()) * 1000)
    const own = <T>(data: T, owns: boolean): T => (owns ? structuredClone(data) : data)
    const call = async (key: string, command: Parameters<typeof contract>[1]) => {
      const { record, reply } = contract(records.get(key) ?? null, own(command, ownsInput), us())
      if (record) records.set(key, record)
      return own(reply, ownsOutput) as never
    }
    return {
      ...referenceStore(),
      begin: (key: string, claim: never) => call(key, { op: 'begin', claim }),
      transition: (key: string, token: number, change: never) => call(key, { op: 'transition', token, change }),
      get: (key: string) => call(key, { op: 'get' }),
    }
  }
}
