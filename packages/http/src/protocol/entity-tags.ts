/** Entity tags and dates, as RFC 9110 writes them in conditional requests. */

export interface EntityTag {
  readonly weak: boolean
  /** The text between the quotes. */
  readonly opaque: string
}

const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/
const ONE_TAG = new RegExp(`^${TAG.source}$`)
const TAGS = new RegExp(`^[ \\t,]*${TAG.source}([ \\t]*,[ \\t,]*${TAG.source})*[ \\t,]*$`)

/** `undefined` where it is no entity tag. */
export function parseTag(text: string): EntityTag | undefined {
  const match = ONE_TAG.exec(text)
  return match ? { weak: match[1] !== undefined, opaque: match[2] ?? '' } : undefined
}

/** The tags of `If-Match` or `If-None-Match`; `'*'` for any; `undefined` where it cannot be read. */
export function parseTags(text: string): readonly EntityTag[] | '*' | undefined {
  if (text.trim() === '*') return '*'
  if (!TAGS.test(text)) return undefined
  return Array.from(text.matchAll(new RegExp(TAG, 'g')), ([, weak, opaque = '']) => ({
    weak: weak !== undefined,
    opaque,
  }))
}

/** Compares for writes: a weak tag matches nothing, since two versions may have the same one. */
export function matchesStrongly(left: EntityTag, right: EntityTag): boolean {
  return !left.weak && !right.weak && left.opaque === right.opaque
}

export function matchesWeakly(left: EntityTag, right: EntityTag): boolean {
  return left.opaque === right.opaque
}

const DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
]

/** Parses to milliseconds since 1970; `undefined` where it is no date of HTTP, which is then ignored. */
export function parseHttpDate(text: string): number | undefined {
  if (!DATES.some((format) => format.test(text))) return undefined
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(ms) ? undefined : ms
}
