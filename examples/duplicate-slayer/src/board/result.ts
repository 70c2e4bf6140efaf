import type { HttpResponse } from '@retryproof/http'

/** A recorded response in a few words: its status, and what was made. */
export function resultOf(value: unknown): string | undefined {
  const { status, headers = [] } = (value ?? {}) as Partial<HttpResponse>
  const [, location = ''] = headers.find(([name]) => name.toLowerCase() === 'location') ?? []
  return status === undefined ? undefined : `${status} ${location}`.trim()
}
