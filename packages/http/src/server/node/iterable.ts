import { Readable, type Stream } from 'node:stream'

/**
 * Gives a stream that can be iterated, for one that may be of Node's first kind: `new Stream()` with `data` and `end` events.
 *
 * @example
 * import { Stream } from 'node:stream'
 * import { iterable } from '@retryproof/http/node'
 *
 * const stream = new Stream()
 * setImmediate(() => stream.emit('data', 'charged') && stream.emit('end'))
 * for await (const piece of iterable(stream)) console.log(String(piece))
 */
export function iterable(stream: Stream): Readable {
  return Symbol.asyncIterator in stream ? (stream as Readable) : new Readable().wrap(stream as Readable)
}
