/** Warns of a mistake in the caller's own code (a listener or a policy that threw) which must not harm a write. Never throws. */
export function warn(message: string, error?: unknown): void {
  const { process } = globalThis as { process?: Warner }
  const detail = error === undefined ? {} : { detail: describeThrown(error, 'stack') }
  process?.emitWarning?.(message, { type: 'RetryproofWarning', ...detail })
}

/** Describes anything that can be thrown: an error, a text, an object without a prototype, a proxy. Never throws. */
export function describeThrown(thrown: unknown, member: 'message' | 'stack' = 'message'): string {
  try {
    const told = (thrown as { readonly [name: string]: unknown } | null | undefined)?.[member]
    return typeof told === 'string' ? told : String(thrown)
  } catch {
    return 'a value that cannot be described'
  }
}

interface Warner {
  emitWarning?(warning: string, options: { type: string; detail?: string }): void
}
