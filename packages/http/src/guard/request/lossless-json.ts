/** JSON text whose value says all that the text does. */

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The value of a JSON text; `undefined` when it is none, or when two different texts would have this value: members
 * that occur twice, integers beyond 2^53, lone surrogates.
 */
export function parseFaithfulJson(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    const text = strictUtf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    return countMembers(value) === countColons(text) ? { value } : undefined
  } catch {
    return undefined
  }
}

/** The number of members in all objects of a value; NaN where a number or a text is not exact. */
function countMembers(root: unknown): number {
  const open = [root]
  let members = 0
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) return Number.NaN
    if (typeof value === 'string' && !value.isWellFormed()) return Number.NaN
    if (typeof value !== 'object' || value === null) continue
    const names = Object.keys(value)
    if (!Array.isArray(value)) {
      members += names.length
      open.push(...names)
    }
    for (const name of names) open.push((value as Record<string, unknown>)[name])
  }
  return members
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/** Colons outside of texts: one for each member that was written, whether or not another replaced it. */
function countColons(json: string): number {
  let colons = 0
  let inText = false
  for (let index = 0; index < json.length; index++) {
    const code = json.charCodeAt(index)
    if (code === QUOTE) inText = !inText
    else if (inText && code === BACKSLASH) index++
    else if (!inText && code === COLON) colons++
  }
  return colons
}
