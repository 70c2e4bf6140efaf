/** Says what failed where nobody listens. */
export function warn(message: string, error: unknown): void {
  process.emitWarning(message, { type: 'RetryproofWarning', detail: String((error as Error)?.stack ?? error) })
}
