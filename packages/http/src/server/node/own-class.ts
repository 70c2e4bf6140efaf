/** Requests and responses whose prototype a framework has changed, as Express does. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** True for V8 of Node 20 and 22: later ones share the hidden classes of such objects. False on runtimes that have no V8. */
const isCostly = Number.parseInt(process.versions.v8 ?? '', 10) < 13

/**
 * Makes a dictionary of an object whose prototype was changed. Else each property that is added to it makes a hidden class of its
 * own, which copies the list of all of them, and no code is compiled for such a class.
 */
export function shedClass(message: IncomingMessage | ServerResponse): void {
  if (!isCostly || Object.getPrototypeOf(message) === message.constructor?.prototype) return
  const name = 'sendDate' in message ? 'sendDate' : 'httpVersion'
  const own = Object.getOwnPropertyDescriptor(message, name)
  if (!own?.configurable) return
  // V8 has no other form for an object of which a property was deleted that is not its last
  Reflect.deleteProperty(message, name)
  Object.defineProperty(message, name, own)
}
