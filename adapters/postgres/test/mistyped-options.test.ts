import { expect, test } from 'vitest'
import { postgresStore, schema } from '../src/index.ts'

test.each([
  ['postgresStore', postgresStore, 'lockTimeOuts', 'lockTimeout'],
  ['schema', schema, 'tabel', 'table'],
] as const)(
  '%s: a mistyped option is refused with the name that was meant, and the list of all',
  (_name, call, mistyped, meant) => {
    // an object that the compiler knows nothing of, as in JavaScript
    const options = { [mistyped]: 'x' } as unknown as never
    expect(() => call(options)).toThrow(
      new RegExp(`^${mistyped}: is not an option here \\(did you mean ${meant}\\?\\); there are .*${meant}`),
    )
  },
)
