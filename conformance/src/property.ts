import fc from 'fast-check'
import { settings } from './settings.ts'

/** Checks a property `numRuns` times. A failure says the seed (`FC_SEED`), the counterexample, and what went wrong. */
export async function forAll<T>(
  arbitrary: fc.Arbitrary<T>,
  numRuns: number,
  predicate: (value: T) => Promise<void>,
  options: { shrink?: boolean } = {},
): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitrary, predicate), {
    seed: settings.seed,
    numRuns,
    endOnFailure: options.shrink === false,
  })
}
