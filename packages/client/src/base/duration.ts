/**
 * A number of milliseconds, or a number with a unit: `'250ms'`, `'30s'`, `'15m'`, `'24h'`, `'7d'`. Taken from a member, so that
 * the compiler prints these forms and not the name of the type.
 */
export type Duration = { forms: number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}` }['forms']

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** The longest pause that timers keep: 2^31 - 1 ms, 24.8 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Converts a duration to milliseconds.
 *
 * @throws {@link RangeError} when it cannot be read, or is not above 0 and at most `maxMs`
 */
export function toMs(option: string, duration: Duration, maxMs = MAX_TIMER_MS): number {
  const [, number, unit = 'ms'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(duration)) ?? []
  const ms = Number(number) * UNITS[unit as keyof typeof UNITS]
  if (ms > 0 && ms <= maxMs) return ms
  throw new RangeError(`${option} must be above 0, as 250, '250ms', '30s', '15m' or '24h', got ${duration}`)
}
