import { expect, test } from 'vitest'

/** Tests that each function refuses a mistyped option with the name that was meant, and the list of all. */
export function testMistypedOptions(
  ...cases: readonly (readonly [name: string, call: (options: never) => unknown, mistyped: string, meant: string])[]
): void {
  test.each(cases)(
    '%s: a mistyped option is refused with the name that was meant, and the list of all',
    (_name, call, mistyped, meant) => {
      // an object that the compiler knows nothing of, as in JavaScript
      const options = { [mistyped]: 'x' } as unknown as never
      expect(() => call(options)).toThrow(
        new RegExp(`^${mistyped}: is not an option here \\(did you mean ${meant}\\?\\); there are .*${meant}`),
      )
    },
  )
}
