import { AssertionError } from 'node:assert'
import fc from 'fast-check'
import { settings } from './settings.ts'

/**
 * Checks a property `numRuns` times. A failure says what went wrong in the shortest example that was found, and with
 * which seed to see it again. If time decides, the same example need not fail twice: `shrink: false`.
 */
export async function forAll<T>(
  arbitrary: fc.Arbitrary<T>,
  numRuns: number,
  predicate: (value: T) => Promise<void>,
  { shrink = true } = {},
): Promise<void> {
  const details = await fc.check(fc.asyncProperty(arbitrary, predicate), {
    seed: settings.seed,
    numRuns,
    endOnFailure: !shrink,
  })
  if (!details.failed) return
  const { errorInstance: cause, numShrinks, seed } = details
  throw new AssertionError({
    message: [
      cause instanceof Error ? cause.message : String(cause),
      `(run ${details.numRuns} of ${numRuns}, shortened ${numShrinks} times; again with FC_SEED=${seed})`,
    ].join('\n'),
    ...pick(cause),
  })
}

/** The values that test runners show as a difference. */
function pick(error: unknown): { actual?: unknown; expected?: unknown } {
  return error instanceof AssertionError ? { actual: error.actual, expected: error.expected } : {}
}
