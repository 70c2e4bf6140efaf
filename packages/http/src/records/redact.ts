/** Leaves out what looks like a credential. */
import { readBytes } from './read-bytes.ts'

export const REDACTED = '[redacted]'

const SECRET_NAME =
  /pass(word|wd|phrase|code)|pwd|jwt|access[-_]?key|security[-_]?code|secret|token|authoriz|cookie|api[-_]?key|credential|private[-_]?key|signature|session|cvc|cvv|card[-_]?number|account[-_]?number|iban|^(pin|ssn|otp|key)$/i
const SECRET_TEXT =
  /\b(bearer\s+\S+|basic\s+[a-z0-9+/=]{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]*|(sk|pk|rk|whsec|ghp|gho|xox[abp])[-_]\w{8,}|AKIA[A-Z0-9]{12,}|AIza[\w-]{20,})|-----BEGIN [A-Z ]*PRIVATE KEY-----|\b[a-z][a-z+.-]*:\/\/[^\s/:@]*:[^\s/@]+@|\b(?:\d[ -]?){13,19}\b/i

/** A field of a query, a form or a cookie, after what separates it from the one before. */
const FIELD = /(^|[?&;]\s*)([\w.%[\]-]+)=([^&;\s#]+)/g

/** A member of an object in a text that is JSON, or holds some. */
const MEMBER = /"([^"\\]{1,80})"(\s{0,9}:\s{0,9})"(?:[^"\\]|\\.)*"/g

/** Leaves out a whole text that holds a credential, and of the fields of a query, a form or JSON those that are named for one. */
function redactText(text: string): string {
  if (SECRET_TEXT.test(text)) return REDACTED
  return text
    .replace(FIELD, (field: string, before: string, name: string) =>
      SECRET_NAME.test(name) ? `${before}${name}=${REDACTED}` : field,
    )
    .replace(MEMBER, (member: string, name: string, colon: string) =>
      SECRET_NAME.test(name) ? `"${name}"${colon}"${REDACTED}"` : member,
    )
}

/** Returns the value without what looks like a credential: by its name, or by its form. Reads bytes, for what they hold. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value)
  if (Array.isArray(value)) {
    const [name] = value
    // a header field is a name and a value
    if (value.length === 2 && typeof name === 'string' && SECRET_NAME.test(name)) return [name, REDACTED]
    return value.map(redact)
  }
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return redact(readBytes(value))
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, SECRET_NAME.test(name) ? REDACTED : redact(member)]),
  )
}

/** Returns a message without the password and query of a store's address. */
export function withoutAddress(message: string, address: string | undefined): string {
  // an address of a scheme alone holds no secret, and stands in other words
  const whole = address && /:\/\/./.test(address) ? message.replaceAll(address, '[store]') : message
  return whole.replace(/([a-z][a-z+.-]*:\/\/)[^\s@/]*@/gi, `$1${REDACTED}@`)
}
