import { expect, test } from 'vitest'

const SECRET = 'hunter2'

/** Stands where a client should, as JavaScript allows it. */
const foreign: readonly (readonly [kind: string, client: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['string', `db://app:${SECRET}@localhost/app`],
  ['number', 5432],
  ['function', () => SECRET],
  ['an object of Object', { url: SECRET }],
  ['an object of Promise', Promise.resolve(SECRET)],
]

/** Tests that each function refuses what is no client with its kind, and never with its value, which may hold a password. */
export function testForeignClients(
  option: string,
  ...calls: readonly (readonly [name: string, call: (options: never) => unknown])[]
): void {
  const cases = calls.flatMap(([name, call]) => foreign.map(([kind, client]) => [name, kind, call, client] as const))
  test.each(cases)('%s: %s in the place of a client is refused as what it is', async (_name, kind, call, client) => {
    const options = { [option]: client } as unknown as never
    const error: unknown = await Promise.resolve()
      .then(() => call(options))
      .catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'IDEMPOTENCY_INVALID_OPTION', option })
    expect(String(error)).toMatch(new RegExp(`: ${option}: must be .*, got ${kind}$`))
    expect(String(error)).not.toContain(SECRET)
  })
}
