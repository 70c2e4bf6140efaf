/** Signatures of those who send webhooks. Each is taken over the bytes as they came. */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** The id of an event whose signature holds; `undefined` for any other request. */
export type Verify = (header: (name: string) => string | undefined, body: Buffer) => string | undefined

const digest = (secret: string | Buffer, encoding: 'hex' | 'base64', ...parts: (string | Buffer)[]) => {
  const hmac = createHmac('sha256', secret)
  for (const part of parts) hmac.update(part)
  return hmac.digest(encoding)
}

function isEqual(expected: string, given: string | undefined): boolean {
  const [one, two] = [Buffer.from(expected), Buffer.from(given ?? '')]
  return one.length === two.length && timingSafeEqual(one, two)
}

/** A stamp that is too old may be a request that somebody has recorded. A sender who tries again makes a new one. */
const isFresh = (seconds: string | undefined) => Math.abs(Date.now() / 1000 - Number(seconds)) < 300

export function github(secret: string): Verify {
  return (header, body) => {
    const isSigned = isEqual(`sha256=${digest(secret, 'hex', body)}`, header('x-hub-signature-256'))
    return isSigned ? header('x-github-delivery') : undefined
  }
}

export function shopify(secret: string): Verify {
  return (header, body) => {
    const isSigned = isEqual(digest(secret, 'base64', body), header('x-shopify-hmac-sha256'))
    return isSigned ? header('x-shopify-webhook-id') : undefined
  }
}

export function stripe(secret: string): Verify {
  return (header, body) => {
    const parts = (header('stripe-signature') ?? '').split(',').map((part) => part.split('='))
    const stamp = parts.find(([name]) => name === 't')?.[1]
    const expected = digest(secret, 'hex', `${stamp}.`, body)
    const isSigned = parts.some(([name, given]) => name === 'v1' && isEqual(expected, given))
    if (!isSigned || !isFresh(stamp)) return undefined
    return (JSON.parse(body.toString()) as { readonly id: string }).id
  }
}

/** https://www.standardwebhooks.com. @param secret in Base64, after `whsec_` */
export function standardWebhooks(secret: string): Verify {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return (header, body) => {
    const [id, stamp] = [header('webhook-id'), header('webhook-timestamp')]
    const expected = `v1,${digest(key, 'base64', `${id}.${stamp}.`, body)}`
    const isSigned = (header('webhook-signature') ?? '').split(' ').some((given) => isEqual(expected, given))
    return isSigned && isFresh(stamp) ? id : undefined
  }
}
