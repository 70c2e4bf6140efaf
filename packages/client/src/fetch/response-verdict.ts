/** The meaning of an answer for the key that was sent with it. Only certainty drops a key: anything else could charge twice. */

/**
 * - `done`: decided; the key stays, and gets this answer again
 * - `drop`: decided, and nothing was done: the next request gets a new key
 * - `keep`: returned to the caller; the key stays, since its request may have had an effect
 * - `retry`: nothing is decided: sent again, with the same key
 */
export type Verdict = 'done' | 'drop' | 'keep' | 'retry'

/** An application's word on an answer; `undefined` leaves it to the client. */
export type VerdictOption = (response: Response) => Verdict | undefined | Promise<Verdict | undefined>

/**
 * - `refused`: this request did nothing; an earlier one with the same key may have
 * - `turned-away`: the same, said by what may stand in front of the operation (a login, a proxy)
 * - `pending`: a server of this project works on it, and has the answer at `location` later
 */
type AnyVerdict = Verdict | 'refused' | 'turned-away' | 'pending'

export interface Judgement {
  readonly verdict: AnyVerdict
  /** The pause that the server asks for, in milliseconds; 0 where it asks for none. */
  readonly waitMs: number
  readonly location: string | undefined
}

/** Statuses that pass: time-outs and limits. */
const TRANSIENT = [408, 425, 429]
/** Statuses of logins, gateways and firewalls, which answer before the operation looks at the key. */
const IN_FRONT = [401, 403, 404, 405, 407, 411, 412, 413, 414, 421, 423, 428, 431, 451]

/**
 * Judges by headers and, since CORS hides most of them from a page of another origin, by the body. What the application
 * says of an answer comes first; a pending 202 is no answer.
 */
export async function judge(response: Response, ofApplication: VerdictOption): Promise<Judgement> {
  const { status, headers } = response
  const told = status === 202 || status >= 400 ? await membersOf(response) : {}
  const verdict = verdictOf(response, told)
  return {
    verdict: verdict === 'pending' ? verdict : ((await ofApplication(response.clone())) ?? verdict),
    waitMs: retryAfterMs(headers.get('Retry-After') ?? told.retryAfter),
    location: headers.get('Location') ?? told.location,
  }
}

/** Members of a problem (RFC 9457) or of a pending 202, as guards of this project write them. */
interface Members {
  readonly type?: unknown
  readonly retryable?: unknown
  readonly idempotencyStatus?: unknown
  readonly location?: string
  readonly retryAfter?: string
}

function verdictOf({ status, headers, redirected }: Response, told: Members): AnyVerdict {
  if (status === 202 && (headers.get('Idempotency-Status') ?? told.idempotencyStatus) === 'pending') return 'pending'
  if (headers.has('Idempotency-Replayed') || headers.has('Idempotent-Replayed')) return ofReplay(status)
  if (told.retryable === true || TRANSIENT.includes(status)) return 'retry'
  if (status >= 500) return told.retryable === false ? 'keep' : 'retry'
  if (status === 409) return headers.has('Retry-After') ? 'retry' : 'keep'
  // a login page, an opaque answer, an address to look at: any of them may come from in front of the operation
  if (redirected || status < 200 || (status >= 300 && status < 400)) return 'keep'
  if (status < 300 || (status === 410 && told.retryable === false)) return 'done'
  if (status === 404 && isProblem(told, 'unknown-operation')) return 'retry'
  if (status === 410 || isProblem(told, 'key-reused')) return 'keep'
  return IN_FRONT.includes(status) ? 'turned-away' : 'refused'
}

/** A replay is the answer of the operation itself, and the only one that this key will get. */
function ofReplay(status: number): Verdict {
  if (status < 400 || status === 410) return 'done'
  return status < 500 ? 'drop' : 'keep'
}

function isProblem({ type }: Members, name: string): boolean {
  return String(type).endsWith(`#${name}`)
}

async function membersOf(response: Response): Promise<Members> {
  if (!/[/+]json/.test(response.headers.get('Content-Type') ?? '')) return {}
  try {
    const { type, retryable, idempotencyStatus, location, retryAfter } = await response.clone().json()
    return {
      type,
      retryable,
      idempotencyStatus,
      ...(typeof location === 'string' && { location }),
      ...(Number.isFinite(retryAfter) && { retryAfter: String(retryAfter) }),
    }
  } catch {
    return {}
  }
}

/** Reads `Retry-After`: seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | undefined): number {
  if (!value) return 0
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Math.max(ms, 0) || 0
}
