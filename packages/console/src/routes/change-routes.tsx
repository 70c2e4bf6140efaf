/** @jsxImportSource hono/jsx */
/** Pages that ask, and the changes that follow. */
import { isIdempotencyError } from '@retryproof/core'
import { Hono } from 'hono'
import type { ConsoleUser, ReadOptions } from '../options.ts'
import { ConfirmPage } from '../pages/confirm-page.tsx'
import { changeRecord, type FieldError, RECORD_ACTIONS, type RecordAction } from '../records/change-record.ts'
import type { Namespaces } from '../records/namespaces.ts'
import { type ConsoleEnv, html } from './console-env.ts'
import { noRecord, PageError } from './error-answers.tsx'
import { readForm, requireChanges } from './read-form.ts'
import { reporterOf } from './report-action.ts'
import { recordOf } from './show-routes.tsx'

const PATH = `/records/:key/:action{${RECORD_ACTIONS.join('|')}}` as const

export function changeRoutes<User extends ConsoleUser>(
  namespaces: Namespaces,
  { onAction }: ReadOptions<User>,
): Hono<ConsoleEnv<User>> {
  const routes = new Hono<ConsoleEnv<User>>()

  routes.get(PATH, async (c) => {
    const { page } = c.env
    requireChanges(page)
    const { key, action } = c.req.param() as { key: string; action: RecordAction }
    return html(c, <ConfirmPage page={page} action={action} record={await recordOf(namespaces, key)} />)
  })

  routes.post(PATH, async (c) => {
    const { page, user } = c.env
    const { key, action } = c.req.param() as { key: string; action: RecordAction }
    const fields = await readForm(c.req.raw, user.name)
    const instance = namespaces.ofKey(key)
    if (!instance) throw noRecord
    const report = reporterOf(onAction, { action, user, namespace: instance.namespace, key })
    if (!page.mayChange) await report('refused')
    requireChanges(page)
    const record = await recordOf(namespaces, key)
    if (fields.get('seen') !== `${record.state} ${record.token}`) {
      await report('refused')
      throw changed(key)
    }
    let isDone: boolean
    try {
      isDone = await changeRecord(instance, record, action, fields)
    } catch (error) {
      if ((error as Error).name === 'FieldError')
        return html(c, <ConfirmPage {...{ page, action, record, fields }} problem={error as FieldError} />, 422)
      const isChanged = isIdempotencyError(error, 'IDEMPOTENCY_NOT_PARKED')
      await report(isChanged ? 'refused' : 'failed', { error })
      throw isChanged ? changed(key) : error
    }
    await report(isDone ? 'done' : 'refused')
    if (!isDone) throw changed(key)
    const next = action === 'forget' ? '/records' : `/records/${key}`
    return c.redirect(page.link(`${next}?done=${action}`), 303)
  })
  return routes
}

function changed(key: string): PageError {
  return new PageError(409, {
    title: 'The record has changed',
    text: 'Somebody else, or a retry of the client, changed it since you opened the page. Nothing was done. Look at it again.',
    onward: ['Show the record', `/records/${key}`],
  })
}
