/** One POST to an address that a client chose: no redirects, and nowhere but to the public internet. */
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
  /** Also to private addresses. */
  readonly anywhere: boolean
}

/** An address that is not of the public internet. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError'
}

/** The status that came back. @throws when nothing did, or the address is refused */
export function post({ url, headers, body, timeoutMs, anywhere }: Post): Promise<number> {
  const { hostname, protocol } = url
  const host = hostname.replace(/^\[|\]$/g, '')
  const request = protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    // a name is checked when it is connected to, so that it cannot point elsewhere by then; an address is no name
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

function isPublic(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast'
}

function refused(address: string): AddressRefusedError {
  return new AddressRefusedError(`${address} is no address of the public internet`)
}
