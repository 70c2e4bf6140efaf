/** @jsxImportSource hono/jsx */
/** Names the key, says what will happen, and asks. */
import type { Inspection } from '@retryproof/core'
import type { FieldError, Fields, RecordAction } from '../../records/change-record.ts'
import { Layout } from '../layout.tsx'
import type { PageContext } from '../page-context.ts'
import { FormToken, Notice, State, StorageKey, typedText } from '../parts.tsx'
import { ACTION_TEXTS } from './action-texts.ts'

export interface ConfirmPageProps {
  readonly page: PageContext
  readonly action: RecordAction
  readonly record: Inspection
  /** The fields as they were typed before. */
  readonly fields?: Fields
  readonly problem?: FieldError
}

export function ConfirmPage({ page, action, record, fields, problem }: ConfirmPageProps) {
  const texts = ACTION_TEXTS[action]
  const { key, state, token } = record
  return (
    <Layout page={page} title={texts.title}>
      <p class="back">
        <a href={page.link(`/records/${key}`)}>← Back to the record</a>
      </p>
      <h1>{texts.title}</h1>
      {problem && <Notice kind="bad">{problem.message}</Notice>}
      <form class="confirm card" method="post" action={page.link(`/records/${key}/${action}`)}>
        <FormToken token={page.formToken} />
        {/* the record must still be what this page shows */}
        <input type="hidden" name="seen" value={`${state} ${token}`} />
        <p class="subject">
          <State state={state} /> <StorageKey name={key} />
        </p>
        <p>{texts.effect}</p>
        <ActionFields action={action} fields={fields} invalid={problem?.field} />
        {texts.certain !== undefined && <Certain text={texts.certain} />}
        <div class="buttons">
          <button type="submit" class={texts.certain === undefined ? 'primary' : 'danger'}>
            {texts.button}
          </button>
          <a href={page.link(`/records/${key}`)}>Cancel</a>
        </div>
      </form>
    </Layout>
  )
}

export const Certain = ({ text }: { text: string }) => (
  <label class="check">
    <input type="checkbox" name="certain" value="yes" required />
    <span>{text}</span>
  </label>
)

interface ActionFieldsProps {
  readonly action: RecordAction
  readonly fields: Fields | undefined
  readonly invalid: string | undefined
}

function ActionFields({ action, fields, invalid }: ActionFieldsProps) {
  const typed = (name: string, initial: string) => typedText(fields?.get(name) ?? initial)
  if (action === 'fail') {
    return (
      <label>
        Message
        <input name="message" required value={typed('message', '')} aria-invalid={invalid === 'message'} />
      </label>
    )
  }
  if (action !== 'complete' && action !== 'respond') return null
  return (
    <>
      {action === 'respond' && (
        <div class="fields">
          <label>
            Status
            <input
              name="status"
              inputmode="numeric"
              size={4}
              required
              value={typed('status', '201')}
              aria-invalid={invalid === 'status'}
            />
          </label>
          <label>
            Content type
            <input name="type" value={typed('type', 'application/json')} />
          </label>
        </div>
      )}
      <label>
        {action === 'respond' ? 'Body' : 'Result, as JSON'}
        <textarea
          name="value"
          rows={8}
          spellcheck={false}
          autocomplete="off"
          required={action === 'complete'}
          aria-invalid={invalid === 'value'}
        >
          {typed('value', '')}
        </textarea>
      </label>
    </>
  )
}
