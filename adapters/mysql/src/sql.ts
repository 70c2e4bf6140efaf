/**
 * Pieces of SQL. Values stand in the text as whole numbers and hex, so that neither a driver's formatting nor a session's
 * charset, time zone or sql_mode has a say.
 */

/** A piece of SQL. */
export interface Sql {
  readonly text: string
}

/** Text of a statement; every value in it becomes a literal, and other pieces of SQL are put in as they are. */
export function sql(
  parts: TemplateStringsArray,
  ...values: readonly (Sql | string | Uint8Array | number | null)[]
): Sql {
  let text = parts[0] ?? ''
  values.forEach((value, index) => {
    text += literal(value) + parts[index + 1]
  })
  return { text }
}

function literal(value: Sql | string | Uint8Array | number | null): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return `X'${Buffer.from(value).toString('hex')}'`
  if (value instanceof Uint8Array)
    return `X'${Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')}'`
  if (typeof value === 'object') return value.text
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a whole number: ${value}`)
  return String(value)
}

export const joined = (parts: readonly Sql[], separator: string): Sql => ({
  text: parts.map(({ text }) => text).join(separator),
})

export const listed = (keys: readonly string[]): Sql => ({ text: keys.map(literal).join() })
