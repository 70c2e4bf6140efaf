import fc from 'fast-check'
import { expect, test } from 'vitest'
import { attributesOf } from '../src/brokers/sqs/attributes.ts'

/** An attribute that is named `__proto__` comes from the AWS client as a member of its own, whose value is undefined. */
const unreadable = ['__proto__', undefined] as const

test('a dead letter keeps every attribute that the client can read, wherever one stands that it cannot', () => {
  fc.assert(
    fc.property(fc.nat(9), fc.nat(9), (count, at) => {
      const names = Array.from({ length: count }, (_, i) => `attribute${i}`)
      const given = names.map((name) => [name, { DataType: 'String', StringValue: name }] as const)
      const MessageAttributes = Object.fromEntries<never>(given.toSpliced(at, 0, unreadable as never) as never)
      const letter = attributesOf({ MessageAttributes }, { headers: {}, withHeaders: true, withBody: true })
      const said = JSON.parse(letter['retryproof-dead-letter']?.StringValue ?? '{}') as { attributes?: object }
      const moved = Object.entries(said.attributes ?? {})
      const kept = Object.entries(letter).map(([name, value]) => [name, value.StringValue])
      const found = new Map([...moved, ...kept] as [string, string][])
      expect(names.map((name) => found.get(name))).toEqual(names)
      expect([...found.keys()]).not.toContain('__proto__')
      expect(Object.keys(letter).length).toBeLessThanOrEqual(10)
    }),
  )
})
