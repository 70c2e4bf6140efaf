/** Sends one POST to an address that a client chose: without redirects, and to the public internet only. */
import { lookup } from 'node:dns'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

export interface Post {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMs: number
  /** Allows private addresses too. */
  readonly anywhere: boolean
}

/** The address is not of the public internet. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError'
}

/**
 * Sends the message, and resolves with the status of its answer.
 *
 * @throws {@link AddressRefusedError} when the address, or one that its name resolves to, is not public
 */
export function post({ url, headers, body, timeoutMs, anywhere }: Post): Promise<number> {
  const { hostname, protocol } = url
  const host = hostname.replace(/^\[|\]$/g, '')
  const request = protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    // the look-up checks a name when it is connected to, so that it cannot point elsewhere by then; an address has none
    if (!anywhere && isIP(host) && !isPublic(host)) throw refused(host)
    const sent = request(url, {
      method: 'POST',
      agent: false,
      headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
      signal: AbortSignal.timeout(timeoutMs),
      ...(anywhere ? {} : { lookup: lookupPublic }),
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      response.destroy()
      resolve(response.statusCode ?? 0)
    })
    sent.end(body)
  })
}

const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? []
    const hidden = addresses?.find(({ address }) => !isPublic(address))
    if (error || !first) callback(error ?? new Error(`${hostname} has no address`), [])
    else if (hidden) callback(refused(hidden.address), [])
    else if (options.all) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

/** The only range of IPv6 from which public addresses are given out. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

function isPublic(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.process(text)
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || address.match(GLOBAL_UNICAST))
}

function refused(address: string): AddressRefusedError {
  return new AddressRefusedError(`${address} is not an address of the public internet`)
}
