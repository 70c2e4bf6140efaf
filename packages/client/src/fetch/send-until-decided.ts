import { IntentUnreachableError } from '../base/errors.ts'
import { bounded, limit } from '../base/limit.ts'
import type { ReadOptions } from './options.ts'
import { nextPauseMs, pause } from './pause.ts'
import type { Sendable } from './request-body.ts'
import { isStreamed, type Judgement, judge } from './response-verdict.ts'

export interface Sending {
  readonly key: string
  readonly toSend: Sendable
  readonly signal: AbortSignal
  /** The time after which nothing is sent, by `performance.now()`. */
  readonly deadlineMs: number
}

export interface Decided {
  readonly response: Response
  readonly verdict: Exclude<Judgement['verdict'], 'pending'>
  /** No earlier request of this call may have had an effect. */
  readonly isOnly: boolean
}

const NO_ANSWER: Judgement = {
  verdict: 'retry',
  waitMs: 0,
  location: undefined,
  isInProgress: false,
  isOfOperation: false,
  mayHaveActed: true,
}

/**
 * Sends a request until an answer decides, tries are used up or the time is over. Follows a pending answer to its address,
 * and sends the request again if another than the operation answers there.
 *
 * @throws {@link IntentUnreachableError} when no answer came; and the reason of `signal`
 */
export async function sendUntilDecided(options: ReadOptions, sending: Sending): Promise<Decided> {
  const { tries } = options
  const { key, toSend, signal, deadlineMs } = sending
  const hint = corsHint(toSend.url, options.header.name)
  let location: URL | undefined
  let failures = 0
  let wasReached = false
  let isOnly = true
  for (let sent = 1; ; sent++) {
    const address = location
    const { response, error } = await answerTo(options, signal, (ended) =>
      address ? toSend.ask(address, ended) : toSend.request(key, ended),
    )
    const judgement = response ? await judge(response, options.verdict) : NO_ANSWER
    const { verdict, waitMs, isInProgress } = judgement
    if (response && verdict !== 'retry' && verdict !== 'pending' && (!address || judgement.isOfOperation)) {
      return { response, verdict, isOnly }
    }

    wasReached ||= response !== undefined
    isOnly &&= !judgement.mayHaveActed && !isInProgress
    if (!isInProgress) failures++
    const pauseMs = nextPauseMs({ sent, waitMs, isInProgress }, options)
    if (failures >= tries || performance.now() + pauseMs > deadlineMs) {
      if (response && verdict === 'retry' && !address) return { response, verdict, isOnly }
      throw new IntentUnreachableError(
        sent,
        error ?? new Error('The server still works on it.'),
        wasReached ? '' : hint,
      )
    }
    location =
      verdict === 'pending' ? sameOrigin(judgement.location, response?.url || toSend.url, toSend.url) : undefined
    if (response && isStreamed(response)) void response.body?.cancel().catch(() => {})
    await pause(pauseMs, deadlineMs, signal)
  }
}

/** A browser does not say why no request left: the server's answer to its preflight may be the reason. */
function corsHint(url: string, header: string): string {
  const origin = globalThis.location?.origin
  if (!origin || origin === new URL(url).origin) return ''
  return ` If the server never sees a request, let it allow the header ${header} (CORS).`
}

/** Resolves an address; `undefined` for one of another origin, since credentials go to nobody else. */
function sameOrigin(location: string | undefined, base: string, sentTo: string): URL | undefined {
  if (!location || !URL.canParse(location, base)) return undefined
  const address = new URL(location, base)
  return address.origin === new URL(sentTo).origin ? address : undefined
}

type Answer =
  | { readonly response: Response; readonly error?: never }
  | { readonly response?: never; readonly error: unknown }

/** @throws the reason of `signal`, when it is the caller who gave up */
async function answerTo(
  { send, timeoutMs }: ReadOptions,
  signal: AbortSignal,
  request: (ended: AbortSignal) => Request,
): Promise<Answer> {
  signal.throwIfAborted()
  const { signal: ended, stopClock, release } = limit({ signals: [signal], ms: timeoutMs })
  try {
    const response = await bounded(send(request(ended)), ended)
    if (isStreamed(response)) {
      // the caller reads it while it is written, and may end it at any time
      stopClock()
      return { response }
    }
    // an answer that is cut off is none
    await bounded(response.clone().arrayBuffer(), ended)
    release()
    return { response }
  } catch (error) {
    release()
    signal.throwIfAborted()
    return { error }
  }
}
