import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { type EntryContext, ServerRouter } from 'react-router'

export default function handleRequest(request: Request, status: number, headers: Headers, context: EntryContext) {
  const page = renderToString(createElement(ServerRouter, { context, url: request.url }))
  headers.set('Content-Type', 'text/html')
  return new Response(`<!DOCTYPE html>${page}`, { status, headers })
}
