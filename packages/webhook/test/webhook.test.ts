import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { closedAfterEach } from '@retryproof/conformance/test-tools/closed-after-each'
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { AddressRefusedError, post } from '../src/public-post.ts'
import { type WebhookOptions, webhook } from '../src/webhook.ts'

const secret = `whsec_${Buffer.from('a secret of its own, long enough').toString('base64')}`
const servers = closedAfterEach()

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

/** A receiver that answers with each status in turn, and with the last one from then on. */
async function receiver(...statuses: number[]) {
  const received: Received[] = []
  const listen: RequestListener = async (req, res) => {
    received.push({ headers: req.headers, body: await text(req) })
    res.writeHead(statuses[received.length - 1] ?? statuses.at(-1) ?? 200, { Location: '/elsewhere' }).end('thanks')
  }
  const server = createServer((req, res) => void listen(req, res))
  servers.add(server)
  return { received, url: new URL(`http://127.0.0.1:${await listening(server)}/hook`) }
}

function sender(options: Partial<WebhookOptions<string>> = {}) {
  const undelivered: unknown[] = []
  const notifier = webhook<string>({
    url: (request) => request || undefined,
    allow: ['127.0.0.1', 'localhost', 'hooks.example.com', 'ports.example.com:8443', '.example.org'],
    secret,
    pause: 1,
    insecure: true,
    onUndelivered: (_url, reason) => undelivered.push(reason),
    ...options,
  })
  return { notifier, undelivered }
}

const notice = {
  location: '/operations/abc',
  response: { status: 201, headers: [['Location', '/charges/1']] as const, body: Buffer.from('{"id":1}') },
}

describe('a message', () => {
  it('is signed so that the library of Standard Webhooks takes it', async () => {
    const { url, received } = await receiver(204)
    const { notifier, undelivered } = sender()
    await notifier.deliver(url, notice)
    const [{ headers, body } = { headers: {}, body: '' }] = received
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual({
      type: 'operation.completed',
      timestamp: expect.any(String),
      data: {
        location: '/operations/abc',
        status: 201,
        headers: [['Location', '/charges/1']],
        encoding: 'utf8',
        body: '{"id":1}',
      },
    })
    expect(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>)).toThrow()
    expect([received.length, undelivered.length]).toEqual([1, 0])
  })

  it('is signed with each secret while they rotate', async () => {
    const { url, received } = await receiver(204)
    const old = `whsec_${Buffer.from('the secret that is going to be replaced').toString('base64')}`
    await sender({ secret: [old, secret] }).notifier.deliver(url, notice)
    const [{ headers, body } = { headers: {}, body: '' }] = received
    for (const each of [old, secret]) new Webhook(each).verify(body, headers as Record<string, string>)
  })

  it.each<[string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('no log')
      },
    ],
    ['rejects with', () => Promise.reject(new Error('no log'))],
  ])('never rejects, whatever onUndelivered %s', async (_how, onUndelivered) => {
    const { url } = await receiver(410)
    await expect(sender({ onUndelivered }).notifier.deliver(url, notice)).resolves.toBeUndefined()
  })

  it('carries a binary body too', async () => {
    const { url, received } = await receiver(200)
    await sender().notifier.deliver(url, { ...notice, response: { ...notice.response, body: Buffer.from([0xff, 0]) } })
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ data: { encoding: 'base64', body: '/wA=' } })
  })

  it('is sent again, as the same message, until it is taken', async () => {
    const { url, received } = await receiver(500, 429, 200)
    const { notifier, undelivered } = sender()
    await notifier.deliver(url, notice)
    expect(received.length).toBe(3)
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(undelivered).toEqual([])
  })

  it('is given up after so many attempts', async () => {
    const { url, received } = await receiver(500)
    const { notifier, undelivered } = sender({ attempts: 3 })
    await notifier.deliver(url, notice)
    expect([received.length, undelivered]).toEqual([
      3,
      [expect.objectContaining({ message: expect.stringContaining('500') })],
    ])
  })

  it.each([301, 302, 307, 308, 410])('follows no redirect, and insists on nothing: %i', async (status) => {
    const { url, received } = await receiver(status)
    const { notifier, undelivered } = sender()
    await notifier.deliver(url, notice)
    expect([received.length, undelivered.length]).toEqual([1, 1])
  })

  it('is given up on whoever does not answer in time', async () => {
    const server = createServer(() => {})
    servers.add(server)
    const url = new URL(`http://127.0.0.1:${await listening(server)}/`)
    const { notifier, undelivered } = sender({ attempts: 1, timeout: '50ms' })
    await notifier.deliver(url, notice)
    expect(undelivered).toMatchObject([{ name: expect.stringMatching(/Abort|Timeout/) }])
  })

  it('never reaches a private address, by whatever name', async () => {
    const { url, received } = await receiver(200)
    for (const host of ['127.0.0.1', 'localhost']) {
      const { notifier, undelivered } = sender({ insecure: false })
      await notifier.deliver(new URL(`http://${host}:${url.port}/`), notice)
      expect(undelivered).toEqual([expect.any(AddressRefusedError)])
    }
    expect(received).toEqual([])
  })
})

describe('an address', () => {
  it.each([
    'http://10.0.0.1/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data',
    'http://100.64.0.1/',
    'http://0.0.0.0/',
    'http://[::1]/',
    'http://[::]/',
    'http://[fd00::1]/',
    'http://[fe80::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://[64:ff9b::a00:1]/',
    'http://[2002:a00:1::]/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://224.0.0.1/',
    'http://255.255.255.255/',
    'http://[::a00:1]/',
    'http://[4000::1]/',
  ])('%s is refused', async (url) => {
    const message = { url: new URL(url), headers: {}, body: '', timeoutMs: 1000, anywhere: false }
    await expect(post(message)).rejects.toThrow(AddressRefusedError)
  })

  it.each([
    ['https://hooks.example.com/a', true],
    ['https://hooks.example.com:22/a', false],
    ['https://hooks.example.com:8443/a', false],
    ['https://ports.example.com:8443/a', true],
    ['https://ports.example.com/a', false],
    ['https://a.example.org/', true],
    ['https://a.b.example.org/', true],
    ['https://example.org/', false],
    ['https://example.com/', false],
    ['https://evilexample.org/', false],
    ['https://hooks.example.com.evil.net/', false],
    ['https://hooks.example.com@evil.net/', false],
    ['https://user:password@hooks.example.com/', false],
    ['http://hooks.example.com/', false],
    ['ftp://hooks.example.com/', false],
    ['javascript:alert(1)', false],
    ['hooks.example.com', false],
    ['//hooks.example.com/', false],
  ])('%s is allowed: %s', (url, allowed) => {
    const { notifier } = sender({ insecure: false })
    if (allowed) expect(notifier.address(url)?.href).toBe(url)
    else expect(() => notifier.address(url)).toThrow(expect.objectContaining({ reason: 'callback-refused' }))
  })

  it('may be none', () => {
    expect(sender().notifier.address('')).toBeUndefined()
  })
})

it.each<[string, Partial<WebhookOptions<string>>]>([
  ['allow', { allow: [] }],
  ['allow', { allow: ['https://hooks.example.com'] }],
  ['allow', { allow: ['*'] }],
  ['secret', { secret: 'no base64!' }],
  ['secret', { secret: '' }],
  ['secret', { secret: [] }],
  ['secret', { secret: 'whsec_YQ==' }],
  ['attempts', { attempts: 0 }],
  ['timeout', { timeout: '0ms' }],
  ['pause', { pause: 'soon' as '1s' }],
])('%s is refused: %j', (option, options) => {
  expect(() => sender(options)).toThrow(IdempotencyInvalidOptionError)
  expect(() => sender(options)).toThrow(option)
})
