/**
 * Gives an error for any value that a function of the options threw. Frameworks take `undefined`, and some of them `0` or
 * `'route'`, for leave to go on to the handler, which would run unguarded.
 */
export function errorOf(thrown: unknown): object {
  if (typeof thrown === 'object' && thrown !== null) return thrown
  return new Error('A function of the idempotency options threw a value that is no error: see cause.', {
    cause: thrown,
  })
}
