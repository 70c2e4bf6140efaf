/** Objects whose members do not show all that they hold. */

/** Native code, and private members as they are written, or as compilers rewrite them. */
const HIDING = /\[native code\]|\.#|class_?private_?field|__private(Get|Set)/i

const known = new WeakMap<object, boolean>()

/**
 * Tells whether an object may hold more than its members show: a Map, a Set, an Error, a class with private members, or
 * an instance of a class without any visible member. Arrays, typed arrays and plain objects hide nothing.
 */
export function hidesState(value: object): boolean {
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)) return false
  let isInstance = false
  for (let prototype = parentOf(value); prototype && parentOf(prototype); prototype = parentOf(prototype)) {
    if (isHidingClass(prototype)) return true
    isInstance = true
  }
  return isInstance && Object.keys(value).length === 0
}

/** Tells whether a value is a Date that JSON writes as null. */
export function isInvalidDate(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Date]' && Number.isNaN(Number(value))
}

function parentOf(value: object): object | null {
  return Object.getPrototypeOf(value)
}

function isHidingClass(prototype: object): boolean {
  const seen = known.get(prototype)
  if (seen !== undefined) return seen
  const made: unknown = Object.hasOwn(prototype, 'constructor') ? prototype.constructor : undefined
  const hides = typeof made === 'function' && HIDING.test(Function.prototype.toString.call(made))
  known.set(prototype, hides)
  return hides
}
