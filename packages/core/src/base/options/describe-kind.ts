/** Names kinds of values for messages. */

/** The type of a value, or its class. The value itself is not shown: a text may be an address with a password. */
export function describeKind(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? `an object of ${classOf(value)}` : typeof value
}

export function classOf(value: object): string {
  return typeof value.constructor === 'function' ? value.constructor.name : 'Object'
}
