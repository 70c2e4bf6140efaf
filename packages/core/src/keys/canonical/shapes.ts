/** Remembers how the names of objects are ordered and written: those of an application have few shapes. */

/** The names of an object, sorted, and each written as a JSON text with its colon, one behind the other. */
export interface Shape {
  readonly sorted: readonly string[]
  readonly bytes: Uint8Array
  /** The end of each name in `bytes`. */
  readonly ends: readonly number[]
}

interface Remembered {
  /** In the order of the object. */
  readonly names: readonly string[]
  /** Made when the names come again, since those of a dictionary do not. */
  shape: Shape | undefined
}

/** A power of two. */
const PLACES = 64
/** Bounds of a shape: clients send the names, and must not fill the memory with them. */
const MAX_NAMES = 32
const MAX_CHARACTERS = 512
/** A character takes six bytes at most, as an escape; quotes and the colon take three. */
export const MAX_SHAPE_BYTES = 6 * MAX_CHARACTERS + 3 * MAX_NAMES

const remembered: (Remembered | undefined)[] = Array.from({ length: PLACES }, () => undefined)

/** Returns the shape of an object with these names, in the order of the object; undefined where they come for the first time. */
export function shapeOf(names: readonly string[], make: (names: readonly string[]) => Shape | undefined) {
  const [first = ''] = names
  const last = names[names.length - 1] ?? ''
  const place = (7 * names.length + 5 * first.length + 3 * last.length + last.charCodeAt(0)) & (PLACES - 1)
  const known = remembered[place]
  if (known && isSame(known.names, names)) {
    known.shape ??= make(names)
    return known.shape
  }
  if (isSmall(names)) remembered[place] = { names: names.slice(), shape: undefined }
  return undefined
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false
  for (let index = 0; index < some.length; index++) if (some[index] !== others[index]) return false
  return true
}

function isSmall(names: readonly string[]): boolean {
  if (names.length > MAX_NAMES) return false
  let characters = 0
  for (const name of names) characters += name.length
  return characters <= MAX_CHARACTERS
}
