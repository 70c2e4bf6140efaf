/** The style, the script and the icon of the pages. */
import { Hono } from 'hono'
import { icon, live, style } from '../assets.ts'

const ASSETS: Readonly<Record<string, readonly [type: string, text: string]>> = {
  'style.css': ['text/css; charset=utf-8', style],
  'live.js': ['text/javascript; charset=utf-8', live],
  'icon.svg': ['image/svg+xml', icon],
}

export function assetRoutes(): Hono {
  const routes = new Hono()
  for (const [name, [type, text]] of Object.entries(ASSETS))
    routes.get(`/assets/${name}`, (c) => c.body(text, 200, { 'content-type': type }))
  return routes
}
