/** Refuses mistyped options, with the name that was probably meant. */

/** Every name of an options object, so that the compiler finds one that is missing. */
export type Names<Options> = { readonly [Name in keyof Required<Options>]: true }

/** One letter in the place of another makes two. */
const MAX_DIFFERENCES = 2

/**
 * @param path stands before names in messages: `retry.`
 * @throws {@link TypeError} when `options` is no object, or has a name that is none of `known`
 */
export function assertKnownOptions<Options extends object>(
  path: string,
  options: Options,
  known: Names<Options>,
): void {
  const names = Object.keys(known)
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${path}options: must be an object with ${names.join(', ')}, got ${options}`)
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown === undefined) return
  const meant = nearestName(unknown, names)
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`
  throw new TypeError(`${path}${unknown}: is not an option here${hint}; there are ${names.join(', ')}`)
}

/** Finds the known name that has the same letters, but for `MAX_DIFFERENCES`. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  return known.find((each) => {
    const left = [...each.toLowerCase()]
    const others = [...name.toLowerCase()].filter((letter) => {
      const at = left.indexOf(letter)
      if (at >= 0) left.splice(at, 1)
      return at < 0
    })
    return others.length + left.length <= MAX_DIFFERENCES
  })
}
