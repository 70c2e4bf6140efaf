import { UnreachableError } from './errors.ts'
import { createIntents, type Intents } from './intents.ts'
import { judge } from './judge.ts'
import { type FetchOptions, type ReadOptions, readOptions } from './options.ts'
import { backOffMs, pause, retryAfterMs } from './pause.ts'
import { type Sendable, sendable } from './sendable.ts'
import type { IntentStorage } from './storage.ts'
import { memoryStorage } from './storages/memory-storage.ts'
import { webStorage } from './storages/web-storage.ts'

/** What `fetch` takes, and what the request is for. */
export interface IdempotentInit extends RequestInit {
  /** Names what the user wants, the same for each click and each reload: `checkout-42`, and not the time. */
  readonly intent: string
}

export interface IdempotentFetch {
  /**
   * Sends until the server has decided, always with the key of the intent. The answer is that of the server, whatever its
   * status; the same intent may be sent again, and gets the same answer, until `done` or `cancel`.
   *
   * @throws IntentChangedError, IntentExpiredError, StorageError, UnsendableError: nothing was sent
   * @throws UnreachableError: no answer came; and the reason of `signal`. The key is kept
   */
  fetch(input: string | URL, init: IdempotentInit): Promise<Response>
  /** The user has seen what came of it: the same intent is something new from now on. */
  done(intent: string): Promise<void>
  /** Gives the intent up. What was sent may still take effect. */
  cancel(intent: string): Promise<void>
}

/** `fetch` that is safe to retry: it retries by itself, and one intent is one key, over reloads and in all tabs. */
export function createIdempotentFetch(options: FetchOptions = {}): IdempotentFetch {
  const read = readOptions(options, defaultStorage)
  const intents = createIntents(read)
  return {
    async fetch(input, { intent, ...init }) {
      if (!intent) throw new TypeError('`intent` must name what the request is for.')
      init.signal?.throwIfAborted()
      const toSend = await sendable(input, { method: 'POST', ...init })
      const key = await intents.keyFor(intent, toSend.digest)
      return sendUntilDecided(read, intents, { intent, key, toSend, signal: init.signal })
    },
    done: (intent) => intents.drop(intent),
    cancel: (intent) => intents.drop(intent),
  }
}

function defaultStorage(): IntentStorage {
  return 'document' in globalThis ? webStorage() : memoryStorage()
}

interface Sending {
  readonly intent: string
  readonly key: string
  readonly toSend: Sendable
  readonly signal: AbortSignal | null | undefined
}

async function sendUntilDecided(options: ReadOptions, intents: Intents, sending: Sending): Promise<Response> {
  const { tries, baseMs, maxMs, withinMs } = options.retry
  const { intent, key, signal } = sending
  const deadlineMs = performance.now() + withinMs
  for (let tried = 1; ; tried++) {
    const { response, error } = await sendAndFollow(options, sending, deadlineMs)
    const verdict = response ? await judge(response) : 'retry'
    if (response && verdict !== 'retry' && verdict !== 'follow') {
      // that it could not be noted harms nobody: the same key is sent again, and gets the same answer
      if (verdict === 'done') await intents.markDone(intent, key).catch(() => {})
      if (verdict === 'drop') await intents.drop(intent, key).catch(() => {})
      return response
    }
    const waitMs = Math.max(backOffMs(tried, baseMs, maxMs), retryAfterMs(response?.headers))
    if (tried >= tries || performance.now() + waitMs > deadlineMs) {
      if (response) return response
      throw new UnreachableError(tried, error)
    }
    await pause(waitMs, deadlineMs, signal)
  }
}

type Answer =
  | { readonly response: Response; readonly error?: never }
  | { readonly response?: never; readonly error: unknown }

/** Sends once, and follows a 202 of ours to its answer. What fails on the way is for the next try, which sends again. */
async function sendAndFollow(options: ReadOptions, sending: Sending, deadlineMs: number): Promise<Answer> {
  const { key, toSend, signal } = sending
  let answer = await answerTo(options, signal, (ended) => toSend.request(key, ended))
  while (answer.response && (await judge(answer.response)) === 'follow') {
    const { headers, url } = answer.response
    const where = new URL(headers.get('Location') ?? '', url)
    const waitMs = Math.max(retryAfterMs(headers), options.retry.baseMs)
    // credentials go to nobody else
    if (where.origin !== new URL(url).origin || performance.now() + waitMs > deadlineMs) return answer
    await pause(waitMs, deadlineMs, signal)
    answer = await answerTo(options, signal, (ended) => new Request(where, { ...toSend.asking, signal: ended }))
  }
  return answer
}

/** @throws the reason of `signal`, when it is the caller who gave up */
async function answerTo(
  { send, retry }: ReadOptions,
  signal: AbortSignal | null | undefined,
  request: (ended: AbortSignal) => Request,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(retry.timeoutMs)
  try {
    return { response: await send(request(signal ? AbortSignal.any([signal, timeout]) : timeout)) }
  } catch (error) {
    signal?.throwIfAborted()
    return { error }
  }
}
