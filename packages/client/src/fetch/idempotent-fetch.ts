import { memoryStorage } from '../storages/memory-storage.ts'
import type { IntentStorage } from '../storages/storage.ts'
import { webStorage } from '../storages/web-storage.ts'
import { createIntents } from './intents.ts'
import { type FetchOptions, readOptions } from './options.ts'
import { sendable } from './request-body.ts'
import { type Decided, sendUntilDecided } from './send-until-decided.ts'

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

  /** @param isOnly nobody has sent the key but this call, once */
  async function note(intent: string, key: string, verdict: Decided['verdict'], isOnly: boolean): Promise<void> {
    if (verdict === 'done') await intents.markDone(intent, key)
    if (verdict === 'drop') await intents.drop(intent, key)
    if (verdict === 'refused' && isOnly) await intents.dropNew(intent, key)
    if (verdict === 'turned-away' && isOnly) await intents.markRefused(intent, key)
  }

  return {
    async fetch(input, { intent, ...init }) {
      if (!intent) throw new TypeError('`intent` must name what the request is for.')
      const signal = signalFor(intent, init.signal)
      signal.throwIfAborted()
      const toSend = await sendable(input, { method: 'POST', ...init })
      const { key, leftMs, isNew } = await intents.keyFor(intent, toSend.digest)
      const deadlineMs = performance.now() + Math.min(read.withinMs, leftMs)
      const { response, verdict, isFirst } = await sendUntilDecided(read, { key, toSend, signal, deadlineMs })
      // a verdict that cannot be noted harms nobody: the same key is sent again, and gets the same answer
      await note(intent, key, verdict, isNew && isFirst).catch(() => {})
      return response
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
