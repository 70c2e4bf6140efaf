import type { Claim } from '@retryproof/core/store'

export const HOUR_MS = 3_600_000

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const claim = (changes: Partial<Claim> = {}): Claim => ({
  owner: 'one',
  fingerprint: 'f',
  leaseMs: 30_000,
  retentionMs: HOUR_MS,
  ...changes,
})
