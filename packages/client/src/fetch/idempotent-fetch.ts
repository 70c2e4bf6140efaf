import { bounded, type Limit, limit } from '../base/limit.ts'
import { isReactNative } from '../base/react-native.ts'
import { memoryStorage } from '../storages/memory-storage.ts'
import type { IntentStorage } from '../storages/storage.ts'
import { webStorage } from '../storages/web-storage.ts'
import { createIntents } from './intents.ts'
import { isAccident } from './key-header.ts'
import { type FetchOptions, readOptions } from './options.ts'
import { type Input, isRequest, type Sendable, sendable } from './request-body.ts'
import { isStreamed } from './response-verdict.ts'
import { type Decided, sendUntilDecided } from './send-until-decided.ts'

/** The options of `fetch`, with an intent, a key of one's own, or both. */
export type IdempotentInit = RequestInit & (WithIntent | WithKey)

interface WithIntent {
  /** Names the wish of the user, the same for each click and each reload: `checkout-42`, and not the time. */
  readonly intent: string
  readonly key?: string | undefined
}

interface WithKey {
  /** A key of one's own, such as the id of an order in a database. @default a random UUID, kept in the storage */
  readonly key: string
  /** @default the key */
  readonly intent?: string | undefined
}

export interface IdempotentFetch {
  /**
   * Sends until the server has decided, always with the key of the intent. Gives the answer of the server, whatever its
   * status; the same intent may be sent again, and gets the same answer, until `done` or `cancel`.
   *
   * @throws {@link IntentChangedError} when the intent was sent before with something else
   * @throws {@link IntentExpiredError} when the server may have forgotten the key
   * @throws {@link IntentStorageError} when the storage cannot keep the key
   * @throws {@link IntentUnsendableError} when the request cannot be sent twice, or not with a key
   * @throws {@link IntentUnreachableError} when no answer came; and the reason of `signal`. The key is kept
   */
  fetch(input: Input, init: IdempotentInit): Promise<Response>
  /**
   * Gives a `fetch` whose requests are all for one intent, for libraries that take a `fetch`.
   *
   * @example
   * import { createIdempotentFetch } from '@retryproof/client'
   *
   * const client = createIdempotentFetch()
   * const response = await client.fetchFor('checkout-42')('/charges', { method: 'POST', body: '{"amount":100}' })
   */
  fetchFor(intent: string): typeof fetch
  /** Makes the same intent something new, in all tabs: not before nobody can mean the old one any more. */
  done(intent: string): Promise<void>
  /** Gives the intent up: this page sends no more of it (AbortError). A request that was sent may still take effect. */
  cancel(intent: string): Promise<void>
}

/**
 * Makes a `fetch` that is safe to retry: it retries by itself, and one intent is one key, over reloads and in all tabs.
 *
 * @throws {@link RangeError} when an option is out of range
 * @throws {@link TypeError} when there is no option of that name, or `storage` is missing in React Native
 *
 * @example
 * import { createIdempotentFetch } from '@retryproof/client'
 *
 * const client = createIdempotentFetch({ retry: { within: '1m' } })
 * const response = await client.fetch('/charges', { intent: 'checkout-42', body: '{"amount":100}' })
 */
export function createIdempotentFetch(options: FetchOptions = {}): IdempotentFetch {
  const read = readOptions(options, defaultStorage)
  const { header, timeoutMs, withinMs } = read
  const intents = createIntents(read)
  /** The calls that are under way for an intent, in this page. */
  const running = new Map<string, Set<Limit>>()

  function start(intent: string, signals: readonly (AbortSignal | null | undefined)[]): Limit {
    const call = limit({ signals })
    running.set(intent, (running.get(intent) ?? new Set()).add(call))
    return call
  }

  function end(intent: string, call: Limit): void {
    call.release()
    const calls = running.get(intent)
    calls?.delete(call)
    if (calls?.size === 0) running.delete(intent)
  }

  async function keyFor(intent: string, toSend: Sendable, given: string | undefined, signal: AbortSignal) {
    signal.throwIfAborted()
    const kept = await intents.keyFor(intent, toSend.digest, header.ownValue(given, toSend.headers))
    if (signal.aborted && kept.isNew) await intents.dropNew(intent, kept.key).catch(() => {})
    return kept
  }

  /** @param isOnly no other request with the key may have had an effect */
  async function note(intent: string, key: string, verdict: Decided['verdict'], isOnly: boolean): Promise<void> {
    if (verdict === 'done') await intents.markDone(intent, key)
    if (verdict === 'drop') await intents.drop(intent, key)
    if (verdict === 'refused' && isOnly) await intents.dropNew(intent, key)
    if (verdict === 'turned-away' && isOnly) await intents.markRefused(intent, key)
  }

  const client: IdempotentFetch = {
    async fetch(input, options) {
      // a page without a compiler may leave them out
      const { intent: named, key: given, ...init }: Partial<IdempotentInit> = options ?? {}
      const intent = requireIntent(named ?? given)
      const call = start(intent, [init.signal, isRequest(input) ? input.signal : undefined])
      const { signal } = call
      let isOpen = false
      try {
        const toSend = await bounded(sendable(input, init, { keyHeader: header.name, timeoutMs }), signal)
        const { key, leftMs, isNew } = await keyFor(intent, toSend, given, signal)
        const deadlineMs = performance.now() + Math.min(withinMs, leftMs)
        const { response, verdict, isOnly } = await sendUntilDecided(read, { key, toSend, signal, deadlineMs })
        // a verdict that cannot be noted harms nobody: the same key is sent again, and gets the same answer
        await note(intent, key, verdict, isNew && isOnly).catch(() => {})
        isOpen = response.body !== null && isStreamed(response)
        return isOpen ? whenRead(response, () => end(intent, call)) : response
      } finally {
        if (!isOpen) end(intent, call)
      }
    },
    fetchFor: (intent) => (input, init) => client.fetch(input, { ...init, intent }),
    done: async (intent) => intents.drop(requireIntent(intent)),
    async cancel(intent) {
      requireIntent(intent)
      for (const call of running.get(intent) ?? []) call.abort()
      await intents.drop(intent)
    },
  }
  return client
}

/** @throws {@link TypeError} when nothing is named */
function requireIntent(intent: string | undefined): string {
  if (intent !== undefined && !isAccident(intent)) return intent
  const got = intent === undefined ? '' : ` Got '${String(intent)}'.`
  throw new TypeError(
    `\`intent\` must name what the request is for, or \`key\` give a key of your own: client.fetch(url, { intent: 'checkout-42' }).${got}`,
  )
}

/** Hands a streamed answer on, and notices its end. */
function whenRead(response: Response, onEnd: () => void): Response {
  const { url, redirected, type, body } = response
  const { readable, writable } = new TransformStream()
  void body?.pipeTo(writable).then(onEnd, onEnd)
  const members = { url: { value: url }, redirected: { value: redirected }, type: { value: type } }
  return Object.defineProperties(new Response(readable, response), members)
}

function defaultStorage(): IntentStorage {
  if (isReactNative()) {
    throw new TypeError(
      "`storage` is needed in React Native, where keys in memory do not survive the app: pass `asyncStorage(AsyncStorage)` of '@retryproof/client/async-storage', or `memoryStorage()`.",
    )
  }
  return 'document' in globalThis ? webStorage() : memoryStorage()
}
