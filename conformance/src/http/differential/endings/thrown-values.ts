/** Values that handlers throw. */

export interface ThrownValue {
  readonly name: string
  make(): unknown
}

export const thrownValues: readonly ThrownValue[] = [
  { name: 'an Error', make: () => new Error('declined') },
  {
    name: 'an error with a status',
    make: () => Object.assign(new Error('declined'), { status: 402, statusCode: 402, expose: true }),
  },
  { name: 'a string', make: () => 'declined' },
  { name: 'undefined', make: () => undefined },
  { name: 'null', make: () => null },
  { name: 'a number', make: () => 402 },
  { name: 'a symbol', make: () => Symbol('declined') },
  { name: 'a plain object', make: () => ({ statusCode: 402, message: 'declined' }) },
  { name: 'a frozen object', make: () => Object.freeze({ statusCode: 402, message: 'declined' }) },
  { name: 'a frozen error', make: () => Object.freeze(new Error('declined')) },
  { name: 'a Response', make: () => new Response('declined', { status: 402 }) },
  {
    name: 'an object without a prototype',
    // has a stack, since the log of Express 5.0 to 5.2 ends the process on an error that has neither a stack nor toString()
    make: () => Object.assign(Object.create(null), { message: 'declined', stack: 'declined' }),
  },
]

/** A text for an error handler to answer with, by which two errors are told apart. */
export function describeThrown(value: unknown): string {
  if (value instanceof Error) return `${value.name}, status ${String((value as { status?: unknown }).status)}`
  return `${typeof value} ${value === null ? 'null' : Object.prototype.toString.call(value)}`
}
