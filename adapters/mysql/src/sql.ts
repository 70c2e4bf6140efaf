/**
 * Pieces of SQL. Values stand in the text, or beside it, as whole numbers and hex, so that neither a driver's formatting nor a
 * session's charset, time zone or sql_mode has a say.
 */

/** A piece of SQL. */
export interface Sql {
  readonly text: string
}

export type Value = string | Uint8Array | number | null

/** Text of a statement; every value in it becomes a literal, and other pieces of SQL are put in as they are. */
export function sql(parts: TemplateStringsArray, ...values: readonly (Sql | Value)[]): Sql {
  let text = parts[0] ?? ''
  values.forEach((value, index) => {
    text += literal(value) + parts[index + 1]
  })
  return { text }
}

function literal(value: Sql | Value): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return whole(value)
  return typeof value === 'string' || value instanceof Uint8Array ? `X'${hex(value)}'` : value.text
}

function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`not a whole number: ${value}`)
  return String(value)
}

function hex(value: string | Uint8Array): string {
  const bytes =
    typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.length)
  return bytes.toString('hex')
}

export const joined = (parts: readonly Sql[], separator: string): Sql => ({
  text: parts.map(({ text }) => text).join(separator),
})

export const listed = (keys: readonly string[]): Sql => ({ text: keys.map(literal).join() })

/** Values, or pieces of SQL that stand for them. */
export type Slots<Values extends readonly Value[]> = { readonly [I in keyof Values]: Values[I] | Sql }

/** A text with placeholders, and which value each of them stands for. */
interface Template {
  readonly text: string
  readonly order: readonly number[]
}

/** A statement of which only the values differ, so that a server may keep it prepared. */
export class FixedSql<Values extends readonly Value[] = readonly Value[]> implements Sql {
  readonly #form: Form<Values>
  readonly #values: Values

  /** @throws RangeError before anything is sent, where a number is not whole */
  constructor(form: Form<Values>, values: Values) {
    for (const value of values) if (typeof value === 'number') whole(value)
    this.#form = form
    this.#values = values
  }

  get text(): string {
    return this.#form.build(...this.#values).text
  }

  /** A placeholder stands for each value. */
  get template(): string {
    return this.#form.templateFor(this.#values).text
  }

  /** The values of the placeholders. Undefined with an empty one, which a sql_mode makes NULL of. */
  get parameters(): (string | null)[] | undefined {
    const parameters = this.#form.templateFor(this.#values).order.map((index) => parameter(this.#values[index] ?? null))
    return parameters.includes('') ? undefined : parameters
  }
}

/** ASCII, which is the same in each charset of a session. */
function parameter(value: Value): string | null {
  if (value === null) return null
  return typeof value === 'number' ? whole(value) : hex(value)
}

/**
 * A session whose character_set_connection is utf16 or the like makes of hex what UNHEX cannot read, and so NULL. The first value
 * is never NULL: instead of it comes a number that is out of range, which ends the statement.
 */
function placeholderFor(value: Value, index: number): string {
  if (typeof value === 'number') return 'CAST(? AS SIGNED)'
  return index === 0 ? 'IFNULL(UNHEX(?), EXP(710))' : 'UNHEX(?)'
}

class Form<Values extends readonly Value[]> {
  readonly build: (...values: Slots<Values>) => Sql
  #template: Template | undefined

  constructor(build: (...values: Slots<Values>) => Sql) {
    this.build = build
  }

  /** The same for all values: each is always a number, or never. */
  templateFor(values: Values): Template {
    this.#template ??= this.#templateLike(values)
    return this.#template
  }

  #templateLike(values: Values): Template {
    const order: number[] = []
    const slots = values.map((_value, index) => ({ text: `\0${index}\0` }))
    const text = this.build(...(slots as never)).text.replace(/\0(\d+)\0/g, (_slot, digits) => {
      const index = Number(digits)
      order.push(index)
      return placeholderFor(values[index] ?? null, index)
    })
    return { text, order }
  }
}

/** Returns what makes statements that `build` builds of their values. */
export function fixed<Values extends readonly Value[]>(
  build: (...values: Slots<Values>) => Sql,
): (...values: Values) => FixedSql<Values> {
  const form = new Form(build)
  return (...values) => new FixedSql(form, values)
}
