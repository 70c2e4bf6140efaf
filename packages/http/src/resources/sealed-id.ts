/** Text that only its maker can read, short enough for a path: AES-256-GCM under a key made of a secret. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'

export interface Seal {
  seal(text: string): Promise<string>
  /** Null for what was not sealed with this secret. */
  open(sealed: string): Promise<string | null>
}

const MIN_SECRET_BYTES = 16
const IV_BYTES = 12
const LONGEST = 4096
const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * @param purpose keeps what is sealed for one purpose from being opened for another
 * @throws IdempotencyInvalidOptionError for a secret under 16 bytes
 */
export function createSeal(secret: string | Uint8Array, purpose: string): Seal {
  const bytes = typeof secret === 'string' ? utf8.encode(secret) : secret
  if (!(bytes instanceof Uint8Array) || bytes.length < MIN_SECRET_BYTES) {
    throw new IdempotencyInvalidOptionError('secret', `must have at least ${MIN_SECRET_BYTES} random bytes`)
  }
  const additionalData = utf8.encode(purpose)
  const key = importKey(bytes)
  return {
    async seal(text) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, await key, utf8.encode(text))
      return toBase64Url(Uint8Array.of(...iv, ...new Uint8Array(sealed)))
    },
    async open(sealed) {
      if (sealed.length > LONGEST || !/^[\w-]+$/.test(sealed)) return null
      try {
        const whole = fromBase64Url(sealed)
        // the last character may have bits to spare, and each id has one spelling
        if (toBase64Url(whole) !== sealed) return null
        const params = { name: 'AES-GCM', iv: whole.subarray(0, IV_BYTES), additionalData }
        return strictUtf8.decode(await crypto.subtle.decrypt(params, await key, whole.subarray(IV_BYTES)))
      } catch {
        return null
      }
    },
  }
}

async function importKey(secret: Uint8Array): Promise<CryptoKeyOfPlatform> {
  const digest = await crypto.subtle.digest('SHA-256', Uint8Array.from(secret))
  return crypto.subtle.importKey('raw', digest, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

type CryptoKeyOfPlatform = Awaited<ReturnType<typeof crypto.subtle.importKey>>

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (sign) => (sign === '+' ? '-' : sign === '/' ? '_' : ''))
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replace(/[-_]/g, (sign) => (sign === '-' ? '+' : '/')))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}
