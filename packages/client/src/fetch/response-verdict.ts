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
  /** A server of this project is at work on the request: waiting for it uses up no try. */
  readonly isInProgress: boolean
  /** At the address of a pending answer too, this is the answer of the operation, and not of a proxy or a login. */
  readonly isOfOperation: boolean
  /** The request that got this answer may have had an effect. */
  readonly mayHaveActed: boolean
}

/** Statuses that pass: a limit, and a request that came too early. Nothing was done. */
const UNTOUCHED = [425, 429]
/** Several answers in one, which a guard does not record. */
const MULTI_STATUS = 207
/** Statuses of logins, gateways and firewalls, which answer before the operation looks at the key. */
const IN_FRONT = [401, 403, 404, 405, 407, 411, 412, 413, 414, 421, 423, 428, 431, 451]

/** Tells events and lines, which are read while they are written. */
export function isStreamed({ headers }: Response): boolean {
  return /event-stream|ndjson/.test(headers.get('Content-Type') ?? '')
}

/**
 * Judges by headers and, since CORS hides most of them from a page of another origin, by the body. The word of the
 * application comes first; a pending 202 is no answer.
 */
export async function judge(response: Response, ofApplication?: VerdictOption): Promise<Judgement> {
  const { status, headers } = response
  const told = status === 202 || status >= 400 ? await membersOf(response) : {}
  const verdict = verdictOf(response, told)
  const isInProgress = verdict === 'pending' || (verdict === 'retry' && status === 409 && told.retryable === true)
  // a clone that nobody reads would keep all that is streamed
  const own =
    verdict === 'pending' ? undefined : await ofApplication?.(isStreamed(response) ? response : response.clone())
  return {
    verdict: own ?? verdict,
    isInProgress,
    isOfOperation: own !== undefined || isReplay(headers) || (verdict === 'done' && !isPage(headers)),
    mayHaveActed: (own ?? verdict) === 'retry' && !UNTOUCHED.includes(status),
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
  if (isReplay(headers)) return ofReplay(status, told)
  if (told.retryable === true || status === 408 || UNTOUCHED.includes(status)) return 'retry'
  if (status >= 500) return told.retryable === false ? 'keep' : 'retry'
  if (status === 409) return headers.has('Retry-After') ? 'retry' : 'keep'
  // a login page, an opaque answer, an address to look at: any of them may come from in front of the operation
  if (redirected || status < 200 || status === MULTI_STATUS || (status >= 300 && status < 400)) return 'keep'
  if (status < 300 || (status === 410 && told.retryable === false)) return 'done'
  if (status === 404 && isProblem(told, 'unknown-operation')) return 'retry'
  if (status === 410 || isProblem(told, 'key-reused')) return 'keep'
  return IN_FRONT.includes(status) ? 'turned-away' : 'refused'
}

function isReplay(headers: Headers): boolean {
  return [headers.get('Idempotency-Replayed'), headers.get('Idempotent-Replayed')].includes('true')
}

/** A replay is the answer of the operation itself, and the only one that this key will get. */
function ofReplay(status: number, { retryable }: Members): Verdict {
  if (status < 400 || status === 410) return 'done'
  // a problem of a guard that another guard has recorded is no answer of the operation
  return status < 500 && typeof retryable !== 'boolean' ? 'drop' : 'keep'
}

function isPage(headers: Headers): boolean {
  return /^text\/html/.test(headers.get('Content-Type') ?? '')
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
  const ms = Number.isFinite(Number(value)) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Math.max(ms, 0) || 0
}
