/** @jsxImportSource hono/jsx */
/** Pages that ask, and the changes that follow. */
import { type Inspection, isIdempotencyError } from '@retryproof/core'
import { stateName } from '@retryproof/http/internal'
import { Hono } from 'hono'
import type { ConsoleUser, ReadOptions } from '../options.ts'
import { ConfirmPage } from '../pages/actions/confirm-page.tsx'
import {
  changeRecord,
  type FieldError,
  fittingActions,
  RECORD_ACTIONS,
  type RecordAction,
} from '../records/change-record.ts'
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
    const record = await recordOf(namespaces, key)
    requireFitting(record, action)
    return html(c, <ConfirmPage page={page} action={action} record={record} />)
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
    if (!fittingActions(record).includes(action)) await report('refused')
    requireFitting(record, action)
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

/** @throws PageError when a record of this state or operation does not take the action */
function requireFitting(record: Inspection, action: RecordAction): void {
  if (fittingActions(record).includes(action)) return
  const { key, state } = record
  throw new PageError(409, {
    title: 'This does not fit the record',
    text:
      state === 'parked'
        ? 'Callers of a route read responses: record the response that they get. Nothing was done.'
        : `Only a parked record can be settled; this one is ${stateName(state)}. Nothing was done.`,
    onward: ['Show the record', `/records/${key}`],
  })
}

function changed(key: string): PageError {
  return new PageError(409, {
    title: 'The record has changed',
    text: 'Somebody else, or a retry of the client, changed it since you opened the page. Nothing was done. Look at it again.',
    onward: ['Show the record', `/records/${key}`],
  })
}
