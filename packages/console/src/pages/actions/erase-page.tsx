/** @jsxImportSource hono/jsx */
/** Erases every record of a scope: asks for it, then names what will be deleted. */
import { namespaceSlug } from '@retryproof/core/internal'
import { neutralize, neutralizeJson } from '@retryproof/http/internal'
import { Layout } from '../layout.tsx'
import { NamespaceField, ScopeField } from '../list/find-form.tsx'
import type { PageContext } from '../page-context.ts'
import { FormToken, Notice } from '../parts.tsx'
import { Certain } from './confirm-page.tsx'

export interface EraseFormProps {
  readonly page: PageContext
  readonly namespaces: readonly string[]
  readonly namespace?: string | undefined
  readonly scope?: string | undefined
  readonly problem?: string | undefined
}

export const EraseForm = ({ page, namespaces, namespace, scope, problem }: EraseFormProps) => (
  <Layout page={page} title="Erase a scope" current="erase">
    <h1>Erase a scope</h1>
    <p>Deletes every record of a tenant or user, for a person’s right to erasure.</p>
    {problem !== undefined && <Notice kind="bad">{problem}</Notice>}
    <form class="fields card" action={page.link('/erase')}>
      <NamespaceField namespaces={namespaces} chosen={namespace} />
      <ScopeField value={scope} />
      <button type="submit">Show what would be erased…</button>
    </form>
  </Layout>
)

export interface EraseConfirmProps {
  readonly page: PageContext
  readonly namespace: string
  readonly scope: readonly string[]
  readonly records: number
  /** More were not counted. */
  readonly isMore: boolean
  readonly problem?: string | undefined
}

export const EraseConfirm = ({ page, namespace, scope, records, isMore, problem }: EraseConfirmProps) => (
  <Layout page={page} title="Erase a scope" current="erase">
    <h1>
      Erase {isMore ? 'more than ' : ''}
      {records.toLocaleString('en')} {records === 1 ? 'record' : 'records'}?
    </h1>
    {problem !== undefined && <Notice kind="bad">{problem}</Notice>}
    <form class="confirm card" method="post" action={page.link('/erase')}>
      <FormToken token={page.formToken} />
      <input type="hidden" name="namespace" value={namespaceSlug(namespace)} />
      <input type="hidden" name="scope" value={neutralizeJson(JSON.stringify(scope))} />
      <dl class="facts">
        <dt>Namespace</dt>
        <dd>
          <bdi>{neutralize(namespace)}</bdi>
        </dd>
        <dt>Scope</dt>
        <dd>
          {scope.map((part) => (
            <code class="part">
              <bdi>{neutralize(part)}</bdi>
            </code>
          ))}
        </dd>
      </dl>
      <p>The next request with one of these keys runs its handler again. Running attempts lose their leases.</p>
      <Certain text="I know that nothing of this scope can be replayed any more." />
      <div class="buttons">
        <button type="submit" class="danger">
          Erase these records
        </button>
        <a href={page.link('/erase')}>Cancel</a>
      </div>
    </form>
  </Layout>
)
