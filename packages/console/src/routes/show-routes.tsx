/** @jsxImportSource hono/jsx */
/** Pages that change nothing. */
import { isIdempotencyError } from '@retryproof/core'
import { readRecord, redact, type ShownRecord, toShown } from '@retryproof/http/internal'
import { Hono } from 'hono'
import type { ConsoleUser } from '../options.ts'
import { ACTION_TEXTS } from '../pages/actions/action-texts.ts'
import { Layout } from '../pages/layout.tsx'
import { FindForm } from '../pages/list/find-form.tsx'
import { RecordList } from '../pages/list/record-list.tsx'
import { Overview } from '../pages/overview/overview.tsx'
import { RecordPage } from '../pages/record/record-page.tsx'
import { toDownload, type ValuePart } from '../pages/record/value-card.tsx'
import type { Activity } from '../records/activity.ts'
import type { RecordAction } from '../records/change-record.ts'
import type { Namespaces } from '../records/namespaces.ts'
import { readFilter, readScope } from '../records/record-filter.ts'
import { type ConsoleEnv, html } from './console-env.ts'
import { noRecord } from './error-answers.tsx'

export function showRoutes<User extends ConsoleUser>(
  namespaces: Namespaces,
  activity: Activity,
): Hono<ConsoleEnv<User>> {
  const routes = new Hono<ConsoleEnv<User>>({ strict: false })

  routes.get('/', async (c) => {
    const { page } = c.env
    const shared = { page, activity, namespaces: namespaces.names, notice: noticeOf(c.req.query()) }
    return html(c, <Overview {...shared} counted={await namespaces.count()} />)
  })

  routes.get('/records', async (c) => {
    const { page } = c.env
    const filter = readFilter(new URL(c.req.url).searchParams)
    const shared = { page, namespaces: namespaces.names, filter, notice: noticeOf(c.req.query()) }
    try {
      return html(c, <RecordList {...shared} found={await namespaces.list(filter)} />)
    } catch (error) {
      if (!isIdempotencyError(error, 'IDEMPOTENCY_INVALID_OPTION', 'IDEMPOTENCY_INVALID_CALL')) throw error
      return html(c, <RecordList {...shared} found={{ records: [], next: undefined }} problem={error.message} />, 400)
    }
  })

  routes.get('/find', async (c) => {
    const { page } = c.env
    const { namespace, operation = '', scope = '', key = '' } = c.req.query()
    const instance = namespaces.named(namespace)
    const found = await instance?.inspect({ operation, scope: readScope(scope), key }).catch((error: unknown) => {
      if (isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL')) return error
      throw error
    })
    if (found && 'key' in found) return c.redirect(page.link(`/records/${found.key}`), 303)
    const problem = found
      ? found.message
      : 'There is no record of this key. Operation, scope and key must be written as the application writes them.'
    return html(
      c,
      <Layout page={page} title="Find a key">
        <h1>Find a key</h1>
        <FindForm page={page} namespaces={namespaces.names} missed={{ operation, scope, key, problem }} />
      </Layout>,
      404,
    )
  })

  routes.get('/records/:key', async (c) => {
    const { page } = c.env
    const record = await recordOf(namespaces, c.req.param('key'))
    const shown = toShown(record, redact)
    const seen = activity.of(record.key)
    return html(c, <RecordPage {...{ page, record, shown }} activity={seen} notice={noticeOf(c.req.query())} />)
  })

  routes.get('/records/:key/:file{(request|value|error)\\.json}', async (c) => {
    const shown = toShown(await recordOf(namespaces, c.req.param('key')), redact)
    const part = c.req.param('file').replace('.json', '') as ValuePart & keyof ShownRecord
    if (shown[part] === undefined) throw noRecord
    return c.body(toDownload(shown[part]), 200, {
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': `attachment; filename="${part}.json"`,
    })
  })
  return routes
}

/** @throws PageError when there is no such record */
export async function recordOf(namespaces: Namespaces, key: string) {
  const instance = namespaces.ofKey(key)
  const record = await (instance && readRecord(instance, key))
  if (!record) throw noRecord
  return record
}

/** The sentence about what was done on the page before: one of ours, never text of an address. */
function noticeOf({ done, erased }: Record<string, string>): string | undefined {
  if (erased !== undefined && /^\d{1,9}$/.test(erased))
    return `${Number(erased).toLocaleString('en')} records were erased.`
  return done !== undefined && Object.hasOwn(ACTION_TEXTS, done) ? ACTION_TEXTS[done as RecordAction].done : undefined
}
