/** A console of a shop with one record in each state, without a network. */
import { createIdempotency, type Idempotency, type IdempotencyStore } from '@retryproof/core'
import { responseSerializer } from '@retryproof/http'
import { memoryStore } from '@retryproof/memory'
import { type ConsoleAction, type ConsoleOptions, type ConsoleUser, consoleHandler } from '../src/index.ts'

export const ORIGIN = 'https://ops.test'
export const owner = { scope: ['tenant_7', 'user_42'], key: 'order-1017' }

export interface OpenConsole {
  readonly shop: Idempotency
  readonly actions: readonly ConsoleAction[]
  /** Storage keys by operation, as it stands in them. */
  readonly keys: ReadonlyMap<string, string>
  /** Gets a page as a browser that kept its cookie. */
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Page>
  /** Sends the form of a page with these fields. */
  submit(
    page: Page,
    fields: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Page>
}

export interface Page {
  readonly path: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export async function openConsole(
  options: Partial<ConsoleOptions<ConsoleUser>> & { readonly store?: IdempotencyStore<never> } = {},
): Promise<OpenConsole> {
  const { store = memoryStore(), ...more } = options
  const shop = createIdempotency({ store, namespace: 'shop', purge: false })
  const actions: ConsoleAction[] = []
  const handle = consoleHandler({
    idempotency: shop,
    authorize: () => ({ name: 'ada' }),
    onAction: (action) => void actions.push(action),
    ...more,
  })
  await fill(shop)
  const keys = new Map<string, string>()
  for await (const { key } of shop.list()) keys.set(key.split('.')[1] ?? '', key)
  let cookie = ''
  const send = async (path: string, init: RequestInit): Promise<Page> => {
    const response = await handle(new Request(`${ORIGIN}${path}`, { ...init, headers: { cookie, ...init.headers } }))
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
    return { path, status: response.status, headers: response.headers, text: await response.text() }
  }
  return {
    shop,
    actions,
    keys,
    get: (path, headers = {}) => send(`/idempotency${path}`, { headers }),
    submit(page, fields, headers = {}) {
      const action = /<form[^>]* method="post" action="([^"]+)"/.exec(page.text)?.[1] ?? page.path
      return send(action, {
        method: 'POST',
        body: new URLSearchParams({ ...hiddenFields(page.text), ...fields }),
        headers: { 'sec-fetch-site': 'same-origin', ...headers },
      })
    },
  }
}

export function hiddenFields(text: string): Record<string, string> {
  const inputs = text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)
  return Object.fromEntries([...inputs].map(([, name, value = '']) => [name, value.replaceAll('&quot;', '"')]))
}

async function fill(shop: Idempotency): Promise<void> {
  await shop.run({ ...owner, operation: 'charge' }, () => ({ id: 'ch_1', password: 'hunter2' }))
  const failing = shop.operation('ship', { onFailure: 'store' })
  await failing.run(owner, () => Promise.reject(new Error('no stock'))).catch(() => undefined)
  await shop.run({ ...owner, operation: 'mail' }, () => Promise.reject(new Error('down'))).catch(() => undefined)
  await park(shop, 'refund')
  await park(shop, 'POST /orders')
}

/** Parks a key as an interrupted attempt would. */
export async function park(shop: Idempotency, operation: string): Promise<void> {
  const serializer = operation.startsWith('POST ') && { serializer: responseSerializer }
  const parking = shop.operation(operation, { maxAttempts: 1, onTakeover: 'park', ...serializer })
  await parking.run(owner, () => Promise.reject(new Error('broken'))).catch(() => undefined)
  await parking.run(owner, () => 1).catch(() => undefined)
}
