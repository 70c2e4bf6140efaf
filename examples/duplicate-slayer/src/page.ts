/** The page: a button, and what happened to each key. */

import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { toRow } from './report.ts'
import type { Payment } from './shop.ts'

const html = readFileSync(new URL('./page.html', import.meta.url), 'utf8')

/** Answers `/` and `/state`; false for anything else. */
export function servePage(shop: { readonly on: boolean; payments(): Promise<Payment[]> }) {
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.method !== 'GET') return false
    if (request.url === '/') response.setHeader('Content-Type', 'text/html; charset=utf-8').end(html)
    else if (request.url === '/state') void sendState(response)
    else return false
    return true
  }

  async function sendState(response: ServerResponse): Promise<void> {
    const rows = (await shop.payments()).map(toRow)
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ on: shop.on, rows }))
  }
}
