/** Finds the name that was meant by a mistyped one. */

/**
 * The known name with the fewest edits, ignoring case and separators; `undefined` where none is near.
 *
 * @param most the number of edits beyond which a name is another one
 */
export function nearestName(
  name: string,
  known: readonly string[],
  most = Math.max(1, Math.floor(plain(name).length / 3)),
): string | undefined {
  const meant = plain(name)
  const [best] = known
    .map((each) => ({ each, edits: editsBetween(meant, plain(each)) }))
    .sort((one, other) => one.edits - other.edits)
  return best && best.edits <= most ? best.each : undefined
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, '')
}

/** The number of edits: insertions, deletions and replacements of one character, and swaps of two neighbors. */
function editsBetween(from: string, to: string): number {
  let above: number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1]
    for (let at = 1; at <= to.length; at++) {
      const isSwap = character === to[at - 2] && from[index - 1] === to[at - 1]
      next.push(
        Math.min(
          (row[at - 1] ?? 0) + (to[at - 1] === character ? 0 : 1),
          (row[at] ?? 0) + 1,
          (next[at - 1] ?? 0) + 1,
          isSwap ? (above[at - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    above = row
    row = next
  }
  return row[to.length] ?? 0
}
