/** Numbers by all their digits. */

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
const ZERO = 0x30
/** An exponent of more characters stays as it was written. */
const MAX_EXPONENT = 15

/**
 * A JSON number in the layout that ECMAScript gives to numbers, with every digit that it has: `1.50` is `1.5`, `1E3` is
 * `1000`, and `0.12345678901234567890` keeps what a double would lose. A number that a double holds reads as it does there.
 */
export function decimalText(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(number) ?? []
  if (whole === '' || exponent.length > MAX_EXPONENT) return number
  const all = whole + fraction
  const [first, end] = significant(all)
  if (first === end) return `${sign}0`
  return sign + layOut(all.slice(first, end), whole.length - first + Number(exponent))
}

/** Returns the first and the end of the digits that are not zeros around the number. */
function significant(digits: string): [first: number, end: number] {
  let first = 0
  let end = digits.length
  while (first < end && digits.charCodeAt(first) === ZERO) first++
  while (end > first && digits.charCodeAt(end - 1) === ZERO) end--
  return [first, end]
}

/** Number::toString of ECMAScript. @param point how many digits stand before the point */
function layOut(digits: string, point: number): string {
  if (point >= digits.length && point <= 21) return digits + '0'.repeat(point - digits.length)
  if (point > 0 && point <= 21) return `${digits.slice(0, point)}.${digits.slice(point)}`
  if (point > -6 && point <= 0) return `0.${'0'.repeat(-point)}${digits}`
  const power = point - 1
  const rest = digits.length > 1 ? `.${digits.slice(1)}` : ''
  return `${digits.slice(0, 1)}${rest}e${power < 0 ? '' : '+'}${power}`
}
