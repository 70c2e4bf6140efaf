/** Sends signed messages about answers that no client waits for, as Standard Webhooks describes them. */
import { type Duration, IdempotencyInvalidOptionError } from '@retryproof/core'
import { toMs, warn } from '@retryproof/core/internal'
import { assertKnownOptions } from '@retryproof/core/store'
import { callbackRefused, type HttpResponse, type Notice, type Notifier } from '@retryproof/http'
import { Webhook } from 'standardwebhooks'
import { AddressRefusedError, post } from './public-post.ts'

export interface WebhookOptions<Native> {
  /** Reads the callback address from a request; `undefined` for none. */
  readonly url: (request: Native) => string | undefined
  /** Hosts that may be called: `hooks.example.com`, `hooks.example.com:8443`, or `.example.com` for all below it. */
  readonly allow: readonly string[]
  /** Signs the messages: 24 to 64 bytes in base64, with or without `whsec_` before it. A list signs with each, to rotate. */
  readonly secret: string | readonly string[]
  /** The number of times that a message is sent at most, until it is accepted. @default 5 */
  readonly attempts?: number
  /** The time limit of one attempt. @default '10s' */
  readonly timeout?: Duration
  /** The longest pause before the second attempt; it doubles for each further one. @default '1s' */
  readonly pause?: Duration
  /** Allows http, private addresses and any port. For tests, and networks of your own. @default false */
  readonly insecure?: boolean
  /** Gets each message that was given up; may be async. An error of it becomes a warning. */
  readonly onUndelivered?: (url: URL, reason: unknown) => void
}

const MAX_PAUSE_MS = 60_000

const known = {
  url: true,
  allow: true,
  secret: true,
  attempts: true,
  timeout: true,
  pause: true,
  insecure: true,
  onUndelivered: true,
} as const

/**
 * Makes a notifier for the `webhook` option of a guard. Best effort: a message may be lost with its process.
 *
 * @throws {@link IdempotencyInvalidOptionError} when an option is missing or out of range
 *
 * @example
 * import { webhook } from '@retryproof/webhook'
 *
 * const notifier = webhook<Request>({
 *   url: (request) => request.headers.get('callback-url') ?? undefined,
 *   allow: ['hooks.example.com'],
 *   secret: process.env.WEBHOOK_SECRET ?? '',
 * })
 */
export function webhook<Native>(options: WebhookOptions<Native>): Notifier<Native> {
  assertKnownOptions<WebhookOptions<Native>>(options, known)
  const { url, insecure = false, attempts = 5, onUndelivered = () => {} } = options
  const allowed = readAllowed(options.allow, insecure)
  const signers = readSecrets(options.secret)
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
        'webhook-signature': signers.map((signer) => signer.sign(id, timestamp, body)).join(' '),
      }
      const reason = await tryPost({ url: address, headers, body, timeoutMs, anywhere: insecure })
      if (reason === undefined) return
      if (reason.isFinal || attempt >= attempts) return giveUp(address, reason.error)
      await pause(Math.random() * Math.min(MAX_PAUSE_MS, pauseMs * 2 ** (attempt - 1)))
    }
  }

  async function giveUp(address: URL, reason: unknown): Promise<void> {
    try {
      await onUndelivered(address, reason)
    } catch (error) {
      warn('onUndelivered threw', error)
    }
  }

  return {
    address(request) {
      const asked = url(request)
      if (asked === undefined) return undefined
      const address = URL.canParse(asked) ? new URL(asked) : undefined
      const isAllowed = address && (insecure || address.protocol === 'https:') && allowed(address)
      if (address && isAllowed && !address.username && !address.password) return address
      throw callbackRefused()
    },
    deliver,
  }
}

/** Undefined: the message was accepted. Final: another attempt would come to the same. */
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

const HOST = /^(\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[\da-f:]+\])(:\d{1,5})?$/

function readAllowed(allow: readonly string[], anyPort: boolean): (address: URL) => boolean {
  if (
    !Array.isArray(allow) ||
    allow.length === 0 ||
    !allow.every((each) => typeof each === 'string' && HOST.test(each))
  )
    throw new IdempotencyInvalidOptionError(
      'allow',
      'must list the hosts that may be called, such as hooks.example.com',
    )
  return ({ host, hostname }) =>
    allow.some((each: string) => {
      const name = anyPort ? hostname : host
      return each.startsWith('.') ? name.endsWith(each) : name === each
    })
}

const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64

function readSecrets(secrets: WebhookOptions<unknown>['secret']): Webhook[] {
  const list = [secrets].flat()
  if (list.length > 0 && list.every(isSecret)) return list.map((secret) => new Webhook(secret))
  throw new IdempotencyInvalidOptionError(
    'secret',
    'must be 24 to 64 bytes in base64, as Standard Webhooks has it: whsec_…',
  )
}

function isSecret(secret: unknown): secret is string {
  if (typeof secret !== 'string') return false
  const base64 = secret.replace(/^whsec_/, '')
  const { length } = Buffer.from(base64, 'base64')
  return /^[A-Za-z0-9+/]+=*$/.test(base64) && length >= MIN_SECRET_BYTES && length <= MAX_SECRET_BYTES
}
