/** Lanes to a database: calls that arrive while others are in flight share a statement, and a commit. */
import { Bound, within } from '../../base/bounded.ts'
import { isPromise } from '../../base/maybe-promise.ts'
import { isIdempotencyError, StoreUnavailableError } from '../../errors.ts'
import { answerOf } from '../answered.ts'

export interface LaneOptions<Call, Reply> {
  /** Sends one call. */
  one(call: Call): Promise<Reply>
  /**
   * Sends several calls as one, and returns their replies in the same order. `undefined` stands for a call that changed
   * nothing and is sent again by itself.
   */
  many(calls: readonly Call[]): Promise<readonly (Reply | undefined)[]>
  /** Tells whether an error of `many` says that no call took effect, and that one call may succeed where all do not. */
  isRefused(error: unknown): boolean
  /** The bytes that a call adds to a batch. */
  sizeOf(call: Call): number
  /** Bounds the wait for a lane, after which a call is not sent any more. */
  readonly timeoutMs: number
  /** Bounds how many are in flight: each waits for a commit of its own. @default 2 */
  readonly lanes?: number
  /** Holds a lane after an answer, for a driver that answers before anybody else can call. */
  readonly rest?: Rest
}

/** Ends the rest of a lane once others can have called. */
export interface Rest {
  /** Resolves in the next turn of the event loop. */
  turn(): Promise<void>
  /** Calls back once no microtask is left. Whoever calls before that has its answer, and is the only caller there is. */
  afterMicrotasks(callback: () => void): void
}

interface Waiting<Call, Reply> {
  readonly call: Call
  readonly size: number
  resolve(reply: Reply | Promise<Reply>): void
  reject(error: unknown): void
  /** Runs `send`, once, in the async context of the caller: a driver may look there for a tenant, a trace or a transaction. */
  lead<T>(send: () => Promise<T>): Promise<T>
  /** Its wait for a lane. */
  readonly bound: Bound
}

/** Bounds the time for which what was sent holds its lane: a call that waits for somebody's transaction must not hold up others. */
const HOLD_MS = 50
const MAX_CALLS = 128
const MAX_BYTES = 256 * 1024
/** Bounds the time for which a lone caller keeps the event loop from its turn. */
const FOLLOW_MS = 5

/** Returns a function that runs work, once, in the async context in which this one was called: a promise keeps it for `then`. */
function inThisContext(): Waiting<unknown, unknown>['lead'] {
  let start: (send: () => Promise<unknown>) => void = () => {}
  const started = new Promise<() => Promise<unknown>>((resolve) => {
    start = resolve
  })
  const sent = started.then((send) => send())
  return <T>(send: () => Promise<T>) => {
    start(send)
    return sent as Promise<T>
  }
}

/** Another error of the same class, with the same fields and cause: callers may annotate the one that they catch. */
function anotherOf(error: unknown): unknown {
  if (!isIdempotencyError(error)) return error
  const cause = 'cause' in error ? { cause: error.cause } : undefined
  return Object.assign(Reflect.construct(Error, [error.message, cause], error.constructor), error)
}

/**
 * Returns a function that sends calls. A call is sent at once, by itself, while a lane is free. Calls that arrive when all
 * lanes are in use wait for the first that comes free, and go together. Each has a reply or an error of its own.
 *
 * A batch that was refused is sent again call by call. A batch of unknown outcome leaves the outcome of each of its calls unknown.
 * Each call is sent in the async context of its caller, and a batch in that of its first call.
 */
export function createLanes<Call, Reply>(options: LaneOptions<Call, Reply>): (call: Call) => Promise<Reply> {
  const { one, many, isRefused, sizeOf, timeoutMs, lanes = 2, rest } = options
  const waiting: Waiting<Call, Reply>[] = []
  let inUse = 0
  /** The resting lane takes one more call: the next one of a caller that has its answer. */
  let mayFollow = false
  let followUntil = 0

  /** Lets another call follow one that was answered at once, but none that was made together with it. */
  function letFollow({ afterMicrotasks }: Rest): void {
    mayFollow = false
    if (performance.now() >= followUntil) return
    queueMicrotask(() => {
      mayFollow = true
      afterMicrotasks(() => {
        mayFollow = false
      })
    })
  }

  function wait(call: Call, size: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        waiting.splice(waiting.indexOf(entry), 1)
        const message = `Calls before this one took longer than ${timeoutMs} ms.`
        reject(new StoreUnavailableError(message, { applied: 'no' }))
      }
      // a lane that came free while the event loop was blocked takes the call before its time is over
      const bound = new Bound(timeoutMs, giveUp)
      const entry: Waiting<Call, Reply> = { call, size, resolve, reject, lead: inThisContext(), bound }
      waiting.push(entry)
    })
  }

  /** The calls that have waited longest, as many as fit. */
  function nextBatch(): Waiting<Call, Reply>[] {
    let count = 0
    let bytes = 0
    for (const { size } of waiting) {
      bytes += size
      if (count === MAX_CALLS || (count > 0 && bytes > MAX_BYTES)) break
      count++
    }
    const batch = waiting.splice(0, count)
    for (const { bound } of batch) bound.end()
    return batch
  }

  async function sendBatch(batch: readonly Waiting<Call, Reply>[]): Promise<void> {
    let replies: readonly (Reply | undefined)[] = []
    try {
      replies = await many(batch.map(({ call }) => call))
    } catch (error) {
      if (!isRefused(error)) {
        for (const { reject } of batch) reject(anotherOf(error))
        return
      }
    }
    batch.forEach(({ call, resolve, lead }, index) => {
      // the batch runs in the context of its first call already
      resolve(replies[index] ?? (index === 0 ? one(call) : lead(() => one(call))))
    })
  }

  /** Sends the calls that wait. Returns undefined where none does. */
  function sendNext(): Promise<unknown> | undefined {
    const batch = nextBatch()
    const [first] = batch
    if (!first) return undefined
    return first.lead<unknown>(() => {
      if (batch.length > 1) return sendBatch(batch)
      const sent = one(first.call)
      first.resolve(sent)
      return sent
    })
  }

  /** Uses a lane for `sent`, and then for as long as calls wait. One that waited alone gives it back without a rest. */
  async function occupy(sent: Promise<unknown>): Promise<void> {
    inUse++
    let rests = rest
    if (rest && !isPromise(answerOf(sent))) {
      followUntil = performance.now() + FOLLOW_MS
      letFollow(rest)
    }
    for (let last: Promise<unknown> | undefined = sent; last; last = sendNext()) {
      if (isPromise(answerOf(last))) {
        await within(HOLD_MS, last, () => new Error('held for long enough')).catch(() => {})
      }
      await rests?.turn()
      rests = waiting.length > 1 ? rest : undefined
    }
    inUse--
    mayFollow = false
  }

  return (call) => {
    const size = sizeOf(call)
    if (size > MAX_BYTES) return one(call)
    if (rest && mayFollow && waiting.length === 0) {
      letFollow(rest)
      return one(call)
    }
    if (inUse === lanes) return wait(call, size)
    const sent = one(call)
    void occupy(sent)
    return sent
  }
}
