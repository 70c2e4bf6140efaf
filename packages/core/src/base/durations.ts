/** Durations as people write them. */
import { IdempotencyInvalidOptionError } from '../errors.ts'

/**
 * A number of milliseconds, or a number with a unit: `'250ms'`, `'30s'`, `'15m'`, `'24h'`, `'7d'`. Taken from a member, so that
 * the compiler prints these forms and not the name of the type.
 */
export type Duration = { forms: number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}` }['forms']

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** The longest duration of the contract: 100 years, in milliseconds. */
export const MAX_DURATION_MS = 100 * 365.25 * units.d

/** Retentions by kind of write. */
export const retention = {
  chat: '15m',
  upload: '1h',
  payment: '24h',
  business: '48h',
  queue: '7d',
  financial: '30d',
} as const satisfies Record<string, Duration>

/**
 * A duration in whole milliseconds, rounded up.
 *
 * @example
 * import { toMs } from '@retryproof/core/store'
 *
 * toMs('lockTimeout', '5s', { min: 1 }) // 5000
 *
 * @throws {@link IdempotencyInvalidOptionError} when it cannot be read, or is outside `min` to `max` (ms)
 */
export function toMs(option: string, duration: Duration, { min = 0, max = MAX_DURATION_MS } = {}): number {
  const ms = parse(option, duration)
  if (ms < min || ms > max) {
    throw new IdempotencyInvalidOptionError(
      option,
      `must be between ${describe(min)} and ${describe(max)}, got ${describe(ms)}`,
    )
  }
  return Math.ceil(ms)
}

function parse(option: string, duration: Duration): number {
  if (typeof duration === 'number' && Number.isFinite(duration)) return duration
  const match = typeof duration === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration) : null
  if (!match) {
    throw new IdempotencyInvalidOptionError(
      option,
      `must be a number of milliseconds or a text like '250ms', '30s', '15m', '24h' or '7d', got ${typeof duration === 'string' ? `'${duration}'` : String(duration)}`,
    )
  }
  return Number(match[1]) * units[match[2] as keyof typeof units]
}

function describe(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const)
    if (ms >= units[unit] && ms % units[unit] === 0) return `${ms / units[unit]}${unit}`
  return `${ms}ms`
}
