import { IntentUnreachableError } from '../base/errors.ts'
import { memoryStorage } from '../storages/memory-storage.ts'
import type { IntentStorage } from '../storages/storage.ts'
import { webStorage } from '../storages/web-storage.ts'
import { createIntents, type Intents } from './intents.ts'
import { type FetchOptions, type ReadOptions, readOptions } from './options.ts'
import { backOffMs, pause, retryAfterMs } from './pause.ts'
import { type Sendable, sendable } from './request-body.ts'
import { judge } from './response-verdict.ts'

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
   * @throws IntentChangedError, IntentExpiredError, IntentStorageError, IntentUnsendableError: nothing was sent
   * @throws IntentUnreachableError: no answer came; and the reason of `signal`. The key is kept
   */
  fetch(input: string | URL, init: IdempotentInit): Promise<Response>
  /** The same intent is something new from now on, in all tabs: not before nobody can mean the old one any more. */
  done(intent: string): Promise<void>
  /** Gives the intent up: this page sends no more of it (AbortError). What was sent may still take effect. */
  cancel(intent: string): Promise<void>
}

/** `fetch` that is safe to retry: it retries by itself, and one intent is one key, over reloads and in all tabs. */
export function createIdempotentFetch(options: FetchOptions = {}): IdempotentFetch {
  const read = readOptions(options, defaultStorage)
  const intents = createIntents(read)
  /** Ends what is under way for an intent, in this page. */
  const enders = new Map<string, AbortController>()

  function signalFor(intent: string, own: AbortSignal | null | undefined): AbortSignal {
    const ender = enders.get(intent) ?? new AbortController()
    enders.set(intent, ender)
    return AbortSignal.any([ender.signal, ...(own ? [own] : [])])
  }

  return {
    async fetch(input, { intent, ...init }) {
      if (!intent) throw new TypeError('`intent` must name what the request is for.')
      const signal = signalFor(intent, init.signal)
      signal.throwIfAborted()
      const toSend = await sendable(input, { method: 'POST', ...init })
      const { key, leftMs } = await intents.keyFor(intent, toSend.digest)
      const deadlineMs = performance.now() + Math.min(read.withinMs, leftMs)
      return sendUntilDecided(read, intents, { intent, key, toSend, signal, deadlineMs })
    },
    async done(intent) {
      enders.delete(intent)
      await intents.drop(intent)
    },
    async cancel(intent) {
      enders.get(intent)?.abort()
      enders.delete(intent)
      await intents.drop(intent)
    },
  }
}

function defaultStorage(): IntentStorage {
  return 'document' in globalThis ? webStorage() : memoryStorage()
}

const STREAMED = /event-stream|ndjson/

interface Sending {
  readonly intent: string
  readonly key: string
  readonly toSend: Sendable
  readonly signal: AbortSignal
  /** By `performance.now()`: nothing is sent after it. */
  readonly deadlineMs: number
}

async function sendUntilDecided(options: ReadOptions, intents: Intents, sending: Sending): Promise<Response> {
  const { tries, firstPauseMs, maxPauseMs } = options
  const { intent, key, signal, deadlineMs } = sending
  for (let tried = 1; ; tried++) {
    const { response, error } = await sendAndFollow(options, sending)
    const verdict = response ? await judge(response) : 'retry'
    if (response && verdict !== 'retry' && verdict !== 'follow') {
      // that it could not be noted harms nobody: the same key is sent again, and gets the same answer
      if (verdict === 'done') await intents.markDone(intent, key).catch(() => {})
      if (verdict === 'drop') await intents.drop(intent, key).catch(() => {})
      return response
    }
    const waitMs = Math.max(backOffMs(tried, firstPauseMs, maxPauseMs), retryAfterMs(response?.headers))
    if (tried >= tries || performance.now() + waitMs > deadlineMs) {
      if (response) return response
      throw new IntentUnreachableError(tried, error)
    }
    await pause(waitMs, deadlineMs, signal)
  }
}

type Answer =
  | { readonly response: Response; readonly error?: never }
  | { readonly response?: never; readonly error: unknown }

/** Sends once, and follows a 202 of ours to its answer. What fails on the way is for the next try, which sends again. */
async function sendAndFollow(options: ReadOptions, sending: Sending): Promise<Answer> {
  const { key, toSend, signal, deadlineMs } = sending
  let answer = await answerTo(options, signal, (ended) => toSend.request(key, ended))
  while (answer.response && (await judge(answer.response)) === 'follow') {
    const { headers, url } = answer.response
    const where = new URL(headers.get('Location') ?? '', url || toSend.url)
    const waitMs = Math.max(retryAfterMs(headers), options.firstPauseMs)
    // credentials go to nobody else
    if (where.origin !== new URL(toSend.url).origin || performance.now() + waitMs > deadlineMs) return answer
    await pause(waitMs, deadlineMs, signal)
    answer = await answerTo(options, signal, (ended) => new Request(where, { ...toSend.asking, signal: ended }))
  }
  return answer
}

/** @throws the reason of `signal`, when it is the caller who gave up */
async function answerTo(
  { send, timeoutMs }: ReadOptions,
  signal: AbortSignal,
  request: (ended: AbortSignal) => Request,
): Promise<Answer> {
  signal.throwIfAborted()
  try {
    const response = await send(request(AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])))
    // an answer that is cut off is none; one that is written while it is read is the caller's
    if (!STREAMED.test(response.headers.get('Content-Type') ?? '')) await response.clone().arrayBuffer()
    return { response }
  } catch (error) {
    signal.throwIfAborted()
    return { error }
  }
}
