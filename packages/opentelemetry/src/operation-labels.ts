/** Bounds the values of an attribute, whatever an application calls its operations. */

/** The label of an operation that is no pattern, is one too many, or is not listed. */
export const OTHER = '_other'

/**
 * Returns a function that gives each operation its label. With a list, the listed operations keep their names. Without
 * one, an operation keeps its name if it is a pattern and one of the first `limit`. Every other operation is `_other`.
 */
export function operationLabels(limit: number, listed?: readonly string[]): (operation: string) => string {
  const known = new Set(listed)
  return (operation) => {
    if (known.has(operation)) return operation
    if (listed || known.size >= limit || !isPattern(operation)) return OTHER
    known.add(operation)
    return operation
  }
}

/** Data of a caller that stands alone between slashes or spaces: a number, an address, a UUID. */
const DATA = [/^\d+$/, /@/, /[0-9a-f]{8}-[0-9a-f]{4}/i, /.{65,}/]

/** Data of a caller as a part of a name: a long number, an object id, a ULID. Versions, years and regions are shorter. */
const DATA_PART = [/^\d{5,}$/, /^[0-9a-f]{16,}$/i, /^(?=(?:.*\d){3})[\w~%+]{16,}$/]

/** `charge`, `POST /orders/:id` and `orders-eu-west-1-v2` are patterns; `POST /orders/8123` names one of many orders. */
function isPattern(operation: string): boolean {
  const words = operation.split(/[\s/?&=:#]+/)
  const parts = words.flatMap((word) => word.split(/[-._]+/))
  return !words.some((word) => DATA.some((data) => data.test(word))) && !parts.some(isDataPart)
}

function isDataPart(part: string): boolean {
  return DATA_PART.some((data) => data.test(part))
}
