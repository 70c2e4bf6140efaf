/** Results of a pure function of a text, kept for texts that come again and again: names of operations and namespaces. */

/** More texts than that are made up, and what is remembered begins anew. */
const MAX_TEXTS = 1000

export function remembered<T>(make: (text: string) => T): (text: string) => T {
  const made = new Map<string, T>()
  return (text) => {
    const known = made.get(text)
    if (known !== undefined) return known
    if (made.size >= MAX_TEXTS) made.clear()
    const value = make(text)
    made.set(text, value)
    return value
  }
}
