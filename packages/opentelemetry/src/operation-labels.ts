/** Keeps the values of an attribute few, whatever an application calls its operations. */

/** What stands for an operation that is no pattern, or one too many. */
export const OTHER = '_other'

/**
 * Gives each operation its label: itself where it is a pattern and one of the first `limit`, else `_other`.
 * An operation keeps the label that it had first.
 */
export function operationLabels(limit: number): (operation: string) => string {
  const known = new Set<string>()
  return (operation) => {
    if (known.has(operation)) return operation
    if (known.size >= limit || !isPattern(operation)) return OTHER
    known.add(operation)
    return operation
  }
}

/** What a caller's data looks like inside a name: numbers, UUIDs and other ids, addresses. */
const DATA = [/^\d+$/, /@/, /[0-9a-f]{8}-[0-9a-f]{4}/i, /^[0-9a-f]{16,}$/i, /^(?=(?:.*\d){3})[\w.~%+-]{16,}$/, /.{65,}/]

/** `charge` and `POST /orders/:id` are patterns; `POST /orders/8123` names one order, and there will be others. */
function isPattern(operation: string): boolean {
  return operation.split(/[\s/?&=:#]+/).every((word) => !DATA.some((looks) => looks.test(word)))
}
