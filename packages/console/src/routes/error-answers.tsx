/** @jsxImportSource hono/jsx */
/** Pages for what goes wrong. */
import { isIdempotencyError } from '@retryproof/core'
import { warn } from '@retryproof/core/internal'
import type { Context } from 'hono'
import { type Message, MessagePage } from '../pages/message-page.tsx'
import type { PageContext } from '../pages/page-context.ts'
import { html } from './console-env.ts'

type Status = 403 | 404 | 409 | 413 | 415 | 500 | 503

/** An end of a request with a message for the person in front of it. */
export class PageError extends Error {
  readonly status: Status
  readonly page: Message

  constructor(status: Status, page: Message) {
    super(page.text)
    this.name = 'PageError'
    this.status = status
    this.page = page
  }
}

const NOT_FOUND: Message = {
  title: 'Not found',
  text: 'There is no such page. The console answers below the path that its option `basePath` names.',
}

export function answerError(c: Context, error: unknown): Response | Promise<Response> {
  const { page } = c.env as { page: PageContext }
  const { status, message } = messageOf(error)
  return html(c, <MessagePage page={page} {...message} />, status)
}

function messageOf(error: unknown): { readonly status: Status; readonly message: Message } {
  if (error === 404) return { status: 404, message: NOT_FOUND }
  if ((error as Error).name === 'PageError') {
    const { status, page } = error as PageError
    return { status, message: page }
  }
  // the message of a driver may hold an address with a password: it is for the log
  warn('The console could not answer.', error)
  if (isIdempotencyError(error, 'IDEMPOTENCY_STORE_UNAVAILABLE')) {
    return {
      status: 503,
      message: {
        title: 'The store does not answer',
        text: 'Nothing can be read. If you were changing a record, look at it again before you repeat that: the change may have been made.',
      },
    }
  }
  return {
    status: 500,
    message: { title: 'This page could not be made', text: 'The log of the application says why.' },
  }
}

export const noRecord = new PageError(404, {
  title: 'No such record',
  text: 'It has expired, was forgotten, or never was. Its key runs like a new one.',
  onward: ['Go to the records', '/records'],
})

export const noNamespace = new PageError(404, {
  title: 'No such namespace',
  text: 'The console does not show it.',
})
