/** Rewrites the text of a JSON value to its canonical text, without making the value. */
import { IdempotencyInvalidCallError } from '../../errors.ts'
import { BACKSLASH, differing, JsonTokens, QUOTE, type TextListener } from './json-tokens.ts'

export const MAX_DEPTH = 1000

/**
 * The text with its members sorted, without white space, with texts and numbers in one form. A member that stands twice
 * stays twice, and a number keeps all its digits: texts differ wherever any parser could give different values.
 *
 * Linear but for the sorting. Text that is in order already is not copied.
 *
 * @throws SyntaxError for what JSON.parse refuses
 * @throws {@link IdempotencyInvalidCallError} for more than 1000 levels
 */
export function canonicalText(json: string, listener: TextListener = {}): string {
  return new Scanner(json, listener).whole()
}

export function tooDeep(): IdempotencyInvalidCallError {
  return new IdempotencyInvalidCallError('payload', `payload: more than ${MAX_DEPTH} levels, or a cycle`)
}

const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
/** Up to so many members are sorted without an allocation. */
const FEW = 16

/** Each method reads one value at `at`, and gives its canonical text; `undefined` where the source is that text. */
class Scanner extends JsonTokens {
  whole(): string {
    this.skipSpace()
    const start = this.at
    const canonical = this.value(0)
    const end = this.at
    this.skipSpace()
    if (this.at !== this.text.length) this.refuse()
    return canonical ?? this.text.slice(start, end)
  }

  private value(depth: number): string | undefined {
    const code = this.text.charCodeAt(this.at)
    if (code === QUOTE) return this.string()
    if (code === OPEN_OBJECT) return this.object(depth)
    if (code === OPEN_ARRAY) return this.array(depth)
    if (code === MINUS || (code >= ZERO && code <= NINE)) return this.number()
    for (const word of ['true', 'false', 'null']) {
      if (!this.text.startsWith(word, this.at)) continue
      this.at += word.length
      return undefined
    }
    this.refuse()
  }

  private array(depth: number): string | undefined {
    if (depth >= MAX_DEPTH) throw tooDeep()
    const { text, at: start } = this
    let copied = start
    let copy = ''
    this.at++
    if (this.skipSpace() === CLOSE_ARRAY) return differing('[]', text.slice(start, ++this.at))
    if (this.at > start + 1) {
      copy = '['
      copied = this.at
    }
    for (;;) {
      const from = this.at
      const canonical = this.value(depth + 1)
      if (canonical !== undefined) {
        copy += text.slice(copied, from) + canonical
        copied = this.at
      }
      const end = this.at
      const code = this.skipSpace()
      if (this.at > end) {
        copy += text.slice(copied, end)
        copied = this.at
      }
      const next = ++this.at
      if (code === CLOSE_ARRAY) return copied === start ? undefined : copy + text.slice(copied, next)
      if (code !== COMMA) this.refuse()
      this.skipSpace()
      if (this.at === next) continue
      copy += text.slice(copied, next)
      copied = this.at
    }
  }

  private object(depth: number): string | undefined {
    if (depth >= MAX_DEPTH) throw tooDeep()
    const { text, at: start } = this
    this.at++
    if (this.skipSpace() === CLOSE_OBJECT) return differing('{}', text.slice(start, ++this.at))
    const names: number[] = []
    const members: string[] = []
    let isCanonical = this.at === start + 1
    for (;;) {
      const from = this.at
      if (text.charCodeAt(from) !== QUOTE) this.refuse()
      const name = this.string()
      const nameEnd = this.at
      if (this.skipSpace() !== COLON) this.refuse()
      this.at++
      this.skipSpace()
      const valueAt = this.at
      const value = this.value(depth + 1)
      const end = this.at
      const isAsItIs = name === undefined && value === undefined && valueAt === nameEnd + 1
      names.push(from)
      members.push(
        isAsItIs ? text.slice(from, end) : `${name ?? text.slice(from, nameEnd)}:${value ?? text.slice(valueAt, end)}`,
      )
      const code = this.skipSpace()
      const next = ++this.at
      isCanonical &&= isAsItIs && next === end + 1
      if (code === CLOSE_OBJECT) break
      if (code !== COMMA) this.refuse()
      this.skipSpace()
      isCanonical &&= this.at === next
    }
    if (names.length <= FEW) return this.sortFew(names, members) || !isCanonical ? braced(members) : undefined
    if (this.areSorted(names)) return isCanonical ? undefined : braced(members)
    return braced(this.sortMany(names, members))
  }

  private areSorted(names: readonly number[]): boolean {
    for (let index = 1; index < names.length; index++) {
      if (this.compareNames(names[index - 1] ?? 0, names[index] ?? 0) > 0) return false
    }
    return true
  }

  /** Sorts the members by their names, in place; those of one name keep the order of the text. Tells whether any moved. */
  private sortFew(names: number[], members: string[]): boolean {
    let hasMoved = false
    for (let index = 1; index < names.length; index++) {
      const name = names[index] ?? 0
      const member = members[index] ?? ''
      let place = index
      for (; place > 0 && this.compareNames(names[place - 1] ?? 0, name) > 0; place--) {
        names[place] = names[place - 1] ?? 0
        members[place] = members[place - 1] ?? ''
      }
      if (place === index) continue
      names[place] = name
      members[place] = member
      hasMoved = true
    }
    return hasMoved
  }

  private sortMany(names: readonly number[], members: readonly string[]): string[] {
    const order = names.map((_, index) => index)
    order.sort((left, right) => this.compareNames(names[left] ?? 0, names[right] ?? 0) || left - right)
    return order.map((index) => members[index] ?? '')
  }

  /** By UTF-16 code units, as RFC 8785 has it; the names stand in the text at these places. */
  private compareNames(left: number, right: number): number {
    const { text } = this
    for (let offset = 1; ; offset++) {
      const one = text.charCodeAt(left + offset)
      const other = text.charCodeAt(right + offset)
      if (one === BACKSLASH || other === BACKSLASH) return this.compareValues(this.nameAt(left), this.nameAt(right))
      if (one === other && one !== QUOTE) continue
      if (one === other) return this.compareValues('', '')
      if (one === QUOTE) return -1
      return other === QUOTE ? 1 : one - other
    }
  }

  private compareValues(left: string, right: string): number {
    if (left === right) this.listener.repeated?.()
    return left < right ? -1 : left > right ? 1 : 0
  }

  private nameAt(start: number): string {
    let end = this.text.indexOf('"', start + 1)
    while (this.isEscaped(end)) end = this.text.indexOf('"', end + 1)
    return JSON.parse(this.text.slice(start, end + 1)) as string
  }
}

function braced(members: readonly string[]): string {
  let text = '{'
  for (let index = 0; index < members.length; index++) text += index === 0 ? members[index] : `,${members[index]}`
  return `${text}}`
}
