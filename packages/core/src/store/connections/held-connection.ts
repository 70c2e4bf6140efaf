/** A connection that a transaction holds, and hands out. */

/**
 * Runs `use` while `release` of the connection does nothing. A query builder to which a handler gives its `tx`, and that
 * takes it for a pool's, cannot hand the connection to another request in mid-transaction.
 */
export async function withoutRelease<T>(connection: object, use: () => Promise<T>): Promise<T> {
  const own = Object.getOwnPropertyDescriptor(connection, 'release')
  Object.defineProperty(connection, 'release', { value: () => {}, configurable: true, writable: true })
  try {
    return await use()
  } finally {
    if (own) Object.defineProperty(connection, 'release', own)
    else Reflect.deleteProperty(connection, 'release')
  }
}
