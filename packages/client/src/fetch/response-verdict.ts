/** What an answer means for the key that was sent with it. */

/**
 * - `done`: decided; the key stays, and gets this answer again
 * - `drop`: decided, and nothing was done: the next request is a new one
 * - `keep`: nothing is decided, and another try would change nothing
 * - `retry`: nothing is decided, and another try may
 * - `follow`: being worked on, at another address
 */
export type Verdict = 'done' | 'drop' | 'keep' | 'retry' | 'follow'

const TRANSIENT = [408, 425, 429]
/** What servers say before they look at the key: an earlier try may have been let through. */
const UNDECIDED = [401, 403, 407, 412, 423, 428]

export async function judge(response: Response): Promise<Verdict> {
  const { status, headers } = response
  if (status === 202 && headers.get('Idempotency-Status') === 'pending') return 'follow'
  if (status < 400 || status === 410) return 'done'
  if (UNDECIDED.includes(status)) return 'keep'
  if (TRANSIENT.includes(status)) return 'retry'
  if (![404, 409, 422].includes(status) && status < 500) return 'drop'
  const problem = await problemOf(response)
  // the address of a 202 that is not known any more: the request itself may be sent again
  if (status === 404) return problem?.name === 'unknown-operation' ? 'retry' : 'drop'
  if (status >= 500) return problem?.retryable === false ? 'keep' : 'retry'
  if (status === 422) return problem?.name === 'key-reused' ? 'keep' : 'drop'
  if (problem?.retryable && headers.has('Retry-After')) return 'retry'
  return problem?.name === 'outcome-unknown' ? 'keep' : 'drop'
}

/** A problem of RFC 9457 as servers of this project have it: `retryable`, and a type with a fragment. */
async function problemOf(response: Response): Promise<{ name: string; retryable: unknown } | undefined> {
  if (!response.headers.get('Content-Type')?.startsWith('application/problem+json')) return undefined
  try {
    const { type, retryable } = await response.clone().json()
    return { name: String(type).split('#')[1] ?? '', retryable }
  } catch {
    return undefined
  }
}
