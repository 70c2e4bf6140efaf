/** Says that the caller's own code (a listener, a policy) threw where that must not harm a write. */
export function warn(message: string, error: unknown): void {
  const { process } = globalThis as { process?: Warner }
  process?.emitWarning?.(message, { type: 'RetryproofWarning', detail: String((error as Error)?.stack ?? error) })
}

interface Warner {
  emitWarning?(warning: string, options: { type: string; detail: string }): void
}
