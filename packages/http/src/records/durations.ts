import type { Duration } from '@retryproof/core'
import { toMs } from '@retryproof/core/internal'

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** Returns a time as people say it: `2d 3h`, `41s`, `0s`. */
export function duration(ms: number): string {
  const parts: string[] = []
  let left = Math.abs(ms)
  for (const [name, size] of UNITS) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) parts.push(`${count}${name}`)
    if (parts.length === 2) break
  }
  return parts.join(' ') || (ms === 0 ? '0s' : `${Math.round(Math.abs(ms))}ms`)
}

/** Reads a duration that a person has typed, such as `10m`. Returns undefined for anything else. */
export function readDuration(text: string): Duration | undefined {
  try {
    toMs('duration', text as Duration)
    return text as Duration
  } catch {
    return undefined
  }
}
