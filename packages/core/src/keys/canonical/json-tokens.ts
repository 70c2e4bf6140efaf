/** Reads the texts and numbers of a JSON text, each to its canonical form. */
import { decimalText } from './decimal-text.ts'

/** Differences that the value of a JSON text does not show. */
export interface TextListener {
  /** Writes a number that has an exponent, or more digits than a double holds. @default as decimalText gives it */
  readonly number?: (canonical: string) => string
  /** Hears that an object has a member twice. */
  readonly repeated?: () => void
}

export const QUOTE = 0x22
export const BACKSLASH = 0x5c
const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const UPPER_E = 0x45
const LOWER_E = 0x65
/** Texts up to this length are scanned here, longer ones by the platform. */
const SHORT_TEXT = 40
/** Digits that every double keeps. */
const SAFE_DIGITS = 15
/** Beyond them a number is written with an exponent. */
const MAX_PLAIN_DIGITS = 21

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON refuses them in texts
const CONTROL = /[\u0000-\u001f]/

/** Each method reads one token at `at`, and gives its canonical text; `undefined` where the source is that text. */
export class JsonTokens {
  protected at = 0
  protected readonly text: string
  protected readonly listener: TextListener

  constructor(text: string, listener: TextListener) {
    this.text = text
    this.listener = listener
  }

  protected string(): string | undefined {
    const { text, at } = this
    const limit = at + SHORT_TEXT
    let end = at + 1
    let code = text.charCodeAt(end)
    while (code !== QUOTE && code !== BACKSLASH && code >= 0x20 && end < limit) code = text.charCodeAt(++end)
    if (code !== QUOTE) return this.longString(end)
    this.at = end + 1
    return undefined
  }

  /** @param from no quote stands before it */
  private longString(from: number): string | undefined {
    const { text, at } = this
    let end = text.indexOf('"', from)
    while (end >= 0 && this.isEscaped(end)) end = text.indexOf('"', end + 1)
    if (end < 0) this.refuse()
    this.at = end + 1
    const source = text.slice(at, this.at)
    if (!source.includes('\\')) return CONTROL.test(source) ? this.refuse() : undefined
    return differing(JSON.stringify(JSON.parse(source)), source)
  }

  protected isEscaped(quote: number): boolean {
    let before = quote
    while (this.text.charCodeAt(before - 1) === BACKSLASH) before--
    return (quote - before) % 2 === 1
  }

  protected number(): string | undefined {
    const { text, at: start } = this
    if (text.charCodeAt(start) === MINUS) this.at++
    const whole = this.at
    let code = this.digits()
    if (text.charCodeAt(whole) === ZERO && this.at > whole + 1) this.refuse()
    let isCanonical = this.at - whole <= MAX_PLAIN_DIGITS
    if (code === POINT) {
      this.at++
      code = this.digits()
      isCanonical &&= text.charCodeAt(this.at - 1) !== ZERO && !text.startsWith('0.000000', whole)
    }
    const hasExponent = code === UPPER_E || code === LOWER_E
    if (hasExponent) {
      code = text.charCodeAt(++this.at)
      if (code === PLUS || code === MINUS) this.at++
      this.digits()
    }
    const isSafe = !hasExponent && this.at - whole <= SAFE_DIGITS
    if (isCanonical && isSafe) return undefined
    const source = text.slice(start, this.at)
    const canonical = isCanonical && !hasExponent ? source : decimalText(source)
    return isSafe || !this.listener.number ? differing(canonical, source) : this.listener.number(canonical)
  }

  /** The code after at least one digit. */
  private digits(): number {
    const start = this.at
    let code = this.text.charCodeAt(start)
    while (code >= ZERO && code <= NINE) code = this.text.charCodeAt(++this.at)
    return this.at > start ? code : this.refuse()
  }

  /** The code that comes next. */
  protected skipSpace(): number {
    const { text } = this
    let code = text.charCodeAt(this.at)
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++this.at)
    return code
  }

  protected refuse(): never {
    throw new SyntaxError(`There is no JSON at character ${this.at}.`)
  }
}

/** The canonical text, where it is not the source. */
export function differing(canonical: string, source: string): string | undefined {
  return canonical === source ? undefined : canonical
}
