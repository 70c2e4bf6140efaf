/** Signed messages about answers that nobody waits for, as Standard Webhooks describes them. */
import { type Duration, IdempotencyInvalidOptionError } from '@retryproof/core'
import { toMs } from '@retryproof/core/internal'
import { Webhook } from 'standardwebhooks'
import type { Notice, Notifier } from '../guard/ports.ts'
import type { HttpResponse } from '../protocol/exchange.ts'
import { Refusal } from '../protocol/refusal.ts'
import { AddressRefusedError, post } from './public-post.ts'

export interface WebhookOptions<Native> {
  /** Where a request wants to be told; `undefined`: nowhere. */
  readonly url: (request: Native) => string | undefined
  /** Hosts that may be told: `hooks.example.com`, or `.example.com` for all below it. */
  readonly allow: readonly string[]
  /** Signs the messages: base64, with or without `whsec_` before it. */
  readonly secret: string
  /** How often a message is sent at most, until it is taken. @default 5 */
  readonly attempts?: number
  /** How long one attempt may take. @default '10s' */
  readonly timeout?: Duration
  /** The longest pause before the second attempt; it doubles for each further one. @default '1s' */
  readonly pause?: Duration
  /** Lets http and private addresses through. For tests, and networks of your own. @default false */
  readonly insecure?: boolean
  /** Is told of a message that was given up. */
  readonly onUndelivered?: (url: URL, reason: unknown) => void
}

const MAX_PAUSE_MS = 60_000

/**
 * Best effort: a message may be lost with its process. The record is what counts.
 *
 * @throws IdempotencyInvalidOptionError naming the option and what it must be
 */
export function webhook<Native>(options: WebhookOptions<Native>): Notifier<Native> {
  const { url, insecure = false, attempts = 5, onUndelivered = () => {} } = options
  const allowed = readAllowed(options.allow)
  const signer = readSecret(options.secret)
  const timeoutMs = toMs('timeout', options.timeout ?? '10s', { min: 1 })
  const pauseMs = toMs('pause', options.pause ?? '1s')
  if (!Number.isInteger(attempts) || attempts < 1)
    throw new IdempotencyInvalidOptionError('attempts', 'must be 1 or more')

  async function deliver(address: URL, notice: Notice): Promise<void> {
    const id = `msg_${crypto.randomUUID()}`
    const body = JSON.stringify(messageOf(notice))
    for (let attempt = 1; ; attempt++) {
      const timestamp = new Date()
      const headers = {
        'Content-Type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(timestamp.getTime() / 1000)),
        'webhook-signature': signer.sign(id, timestamp, body),
      }
      const reason = await tryPost({ url: address, headers, body, timeoutMs, anywhere: insecure })
      if (reason === undefined) return
      if (reason.isFinal || attempt >= attempts) return onUndelivered(address, reason.error)
      await pause(Math.random() * Math.min(MAX_PAUSE_MS, pauseMs * 2 ** (attempt - 1)))
    }
  }

  return {
    address(request) {
      const asked = url(request)
      if (asked === undefined) return undefined
      const address = URL.canParse(asked) ? new URL(asked) : undefined
      const isAllowed = address && (insecure || address.protocol === 'https:') && allowed(address.hostname)
      if (address && isAllowed && !address.username && !address.password) return address
      throw new Refusal('callback-refused', 'The callback must be an https address of a host that was agreed upon.')
    },
    deliver,
  }
}

/** Undefined: it was taken. Final: another attempt would come to the same. */
async function tryPost(message: Parameters<typeof post>[0]): Promise<{ error: unknown; isFinal: boolean } | undefined> {
  try {
    const status = await post(message)
    if (status >= 200 && status < 300) return undefined
    return {
      error: new Error(`was answered with ${status}`),
      isFinal: (status >= 300 && status < 400) || status === 410,
    }
  } catch (error) {
    return { error, isFinal: error instanceof AddressRefusedError }
  }
}

function messageOf({ location, response }: Notice) {
  const { status, headers } = response
  return {
    type: 'operation.completed',
    timestamp: new Date().toISOString(),
    data: { location, status, headers, ...bodyOf(response) },
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function bodyOf({ body }: HttpResponse): { readonly encoding: 'utf8' | 'base64'; readonly body: string } {
  try {
    return { encoding: 'utf8', body: strictUtf8.decode(body) }
  } catch {
    return { encoding: 'base64', body: Buffer.from(body).toString('base64') }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}

function readAllowed(allow: readonly string[]): (hostname: string) => boolean {
  const isHost = (host: unknown) =>
    typeof host === 'string' && /^\.?[a-z0-9-]+(\.[a-z0-9-]+)*$|^\[[\da-f:]+\]$/.test(host)
  if (!Array.isArray(allow) || allow.length === 0 || !allow.every(isHost)) {
    throw new IdempotencyInvalidOptionError('allow', 'must list the hosts that may be told, such as hooks.example.com')
  }
  return (hostname) => allow.some((host) => (host.startsWith('.') ? hostname.endsWith(host) : hostname === host))
}

function readSecret(secret: string): Webhook {
  try {
    return new Webhook(secret)
  } catch {
    throw new IdempotencyInvalidOptionError('secret', 'must be base64, as Standard Webhooks has it: whsec_…')
  }
}
