import { MemoryStorageAdapter } from '@node-idempotency/storage-adapter-memory'
import { memoryStore } from '@retryproof/memory'
import { type Driver, Held, type Json, LEASE_MS, type Opened, RETENTION_MS, Reused } from '../subject.ts'
import { fingerprintOf } from './floor.ts'
import { over } from './ours.ts'
import { nodeIdempotency } from './peers.ts'

interface Entry {
  readonly token: number
  readonly fingerprint: string
  until: number
  text: string | undefined
}

/** A Map of JSON text. */
function byHand(): Opened {
  const entries = new Map<string, Entry>()
  let tokens = 0
  return {
    async run(key, payload, work) {
      const fingerprint = fingerprintOf(payload)
      const found = entries.get(key)
      if (found && found.until > Date.now()) {
        if (found.fingerprint !== fingerprint) throw new Reused('The key was used for another payload.')
        if (found.text === undefined) throw new Held('The key is held.')
        return JSON.parse(found.text) as Json
      }
      const entry: Entry = { token: ++tokens, fingerprint, until: Date.now() + LEASE_MS, text: undefined }
      entries.set(key, entry)
      const value = await work()
      if (entries.get(key)?.token !== entry.token) throw new Held('The lease was lost.')
      entry.text = JSON.stringify(value)
      entry.until = Date.now() + RETENTION_MS
      return value
    },
  }
}

export const memory: Driver = {
  name: 'memory',
  isLocal: true,
  subjects: [
    { kind: 'floor', name: 'a Map of JSON text', open: async () => byHand() },
    {
      kind: 'peer',
      name: '@node-idempotency/core',
      open: async () => nodeIdempotency(new MemoryStorageAdapter()),
    },
    { kind: 'ours', name: 'Retryproof', open: async () => over(memoryStore({ maxRecords: 10_000_000 })) },
  ],
}
