/** @jsxImportSource hono/jsx */
/** Erases a scope, after a page that names it. */
import { isIdempotencyError } from '@retryproof/core'
import { Hono } from 'hono'
import type { ConsoleInstance, ConsoleUser, ReadOptions } from '../options.ts'
import { EraseConfirm, EraseForm } from '../pages/actions/erase-page.tsx'
import { type Fields, requireCertainty } from '../records/change-record.ts'
import type { Namespaces } from '../records/namespaces.ts'
import { readScope } from '../records/record-filter.ts'
import { type ConsoleEnv, html } from './console-env.ts'
import { noNamespace } from './error-answers.tsx'
import { outOfDate, readForm, requireChanges } from './read-form.ts'
import { reporterOf } from './report-action.ts'

/** The most records that the question counts. */
const MAX_COUNTED = 1000

export function eraseRoutes<User extends ConsoleUser>(
  namespaces: Namespaces,
  { onAction }: ReadOptions<User>,
): Hono<ConsoleEnv<User>> {
  const routes = new Hono<ConsoleEnv<User>>()
  const { names } = namespaces

  routes.get('/erase', async (c) => {
    const { page } = c.env
    requireChanges(page)
    const { namespace, scope } = c.req.query()
    if (scope === undefined) return html(c, <EraseForm page={page} namespaces={names} />)
    const form = { page, namespaces: names, namespace, scope }
    const asked = ownerOf(namespaces, new URL(c.req.url).searchParams, readScope)
    try {
      const counted = await countScope(asked.instance, asked.scope)
      if (counted.records > 0) return html(c, <EraseConfirm {...{ page, ...asked, ...counted }} />)
      return html(c, <EraseForm {...form} problem="There are no records of this scope." />, 404)
    } catch (error) {
      if (!isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL', 'IDEMPOTENCY_INVALID_OPTION')) throw error
      return html(c, <EraseForm {...form} problem={error.message} />, 400)
    }
  })

  routes.post('/erase', async (c) => {
    const { page, user } = c.env
    const fields = await readForm(c.req.raw, user.name)
    const { instance, namespace, scope } = ownerOf(namespaces, fields, readHiddenScope)
    if (scope.length === 0) throw outOfDate
    const report = reporterOf(onAction, { action: 'erase', user, namespace, scope })
    if (!page.mayChange) await report('refused')
    requireChanges(page)
    try {
      requireCertainty(fields)
    } catch (error) {
      const problem = (error as Error).message
      return html(
        c,
        <EraseConfirm {...{ page, namespace, scope, problem, ...(await countScope(instance, scope)) }} />,
        422,
      )
    }
    const records = await instance.eraseScope(scope).catch(async (error: unknown) => {
      // the page that asked has counted this scope: another one was not written by it
      const isWrong = isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL')
      await report(isWrong ? 'refused' : 'failed', { error })
      throw isWrong ? outOfDate : error
    })
    await report('done', { records })
    return c.redirect(page.link(`/?erased=${records}`), 303)
  })
  return routes
}

interface Owner {
  readonly instance: ConsoleInstance
  readonly namespace: string
  readonly scope: readonly string[]
}

/** @throws PageError for a namespace that the console does not show */
function ownerOf(namespaces: Namespaces, fields: Fields, read: (text: string) => readonly string[]): Owner {
  const instance = namespaces.named(fields.get('namespace') ?? undefined)
  if (!instance) throw noNamespace
  return { instance, namespace: instance.namespace, scope: read(fields.get('scope') ?? '') }
}

/** Reads the scope of the confirmation, which is written as JSON: each part is erased as it was counted. */
function readHiddenScope(text: string): readonly string[] {
  try {
    return [JSON.parse(text)].flat().map(String)
  } catch {
    return []
  }
}

async function countScope(
  instance: ConsoleInstance,
  scope: readonly string[],
): Promise<{ readonly records: number; readonly isMore: boolean }> {
  let records = 0
  for await (const _ of instance.list({ scope, limit: MAX_COUNTED + 1 })) records++
  return { records: Math.min(records, MAX_COUNTED), isMore: records > MAX_COUNTED }
}
