/**
 * Proves that a form came from a page of ours. The token of a form is a digest of a random cookie and of the user, so that
 * every process of a fleet accepts it. A forged form has no cookie (`SameSite=Strict`), and another origin.
 */
import { randomText } from './page-headers.ts'

export interface FormToken {
  /** Stands in each form. */
  readonly token: string
  /** Undefined where the browser has the cookie. */
  readonly setCookie: string | undefined
}

const NAME = 'retryproof-console'

export async function formToken(request: Request, user: string, path: string): Promise<FormToken> {
  const secret = cookieOf(request)
  const fresh = secret ?? randomText()
  return {
    token: await digest(fresh, user),
    setCookie: secret === undefined ? cookie(request, fresh, path) : undefined,
  }
}

/** Tells whether a form was sent from a page that this user got. */
export async function isOurForm(request: Request, user: string, token: string | null): Promise<boolean> {
  const secret = cookieOf(request)
  if (secret === undefined || token === null || !isSameOrigin(request)) return false
  // both are digests: the time of the comparison tells nothing about the cookie
  return token === (await digest(secret, user))
}

function isSameOrigin({ url, headers }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin'
  const origin = headers.get('origin')
  if (origin === null || !URL.canParse(origin)) return false
  return new URL(origin).host === (headers.get('host') ?? new URL(url).host)
}

/** Browsers say `Sec-Fetch-Site` only on connections that they trust, also where a proxy ends TLS. */
function isSecure({ url, headers }: Request): boolean {
  const { protocol, hostname } = new URL(url)
  const isLocal = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
  return protocol === 'https:' || (headers.has('sec-fetch-site') && !isLocal)
}

function cookie(request: Request, value: string, path: string): string {
  // `__Host-`: no other host of the domain can set it
  const [prefix, where] = isSecure(request) ? ['__Host-', 'Path=/; Secure'] : ['', `Path=${path || '/'}`]
  return `${prefix}${NAME}=${value}; ${where}; HttpOnly; SameSite=Strict`
}

function cookieOf(request: Request): string | undefined {
  const name = `${isSecure(request) ? '__Host-' : ''}${NAME}`
  const pattern = new RegExp(`(?:^|;\\s*)${name}=([0-9a-f]{32})(?:;|$)`)
  return pattern.exec(request.headers.get('cookie') ?? '')?.[1]
}

async function digest(secret: string, user: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${NAME}\n${secret}\n${user}`))
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
