/** @jsxImportSource hono/jsx */
/** Finds the record of a key that a client sent. */
import { namespaceSlug } from '@retryproof/core/internal'
import { neutralize } from '@retryproof/http/internal'
import type { PageContext } from '../page-context.ts'
import { Notice, typedText } from '../parts.tsx'

export interface FindFormProps {
  readonly page: PageContext
  readonly namespaces: readonly string[]
  /** The key that was looked for before, and not found. */
  readonly missed?: {
    readonly operation: string
    readonly scope: string
    readonly key: string
    readonly problem: string
  }
}

export const FindForm = ({ page, namespaces, missed }: FindFormProps) => (
  <section class="card" aria-labelledby="find">
    <h2 id="find">Find the key of a customer</h2>
    <p class="quiet">
      Records carry digests of keys. With operation, scope and key as the client sent them, one is found.
    </p>
    {missed && <Notice kind="bad">{missed.problem}</Notice>}
    <form class="fields" action={page.link('/find')}>
      <NamespaceField namespaces={namespaces} />
      <TextField label="Operation" name="operation" value={missed?.operation} placeholder="POST /charges" />
      <ScopeField value={missed?.scope} />
      <TextField label="Key" name="key" value={missed?.key} placeholder="order-1017" />
      <button type="submit">Find the record</button>
    </form>
  </section>
)

interface TextFieldProps {
  readonly label: string
  readonly name: string
  readonly value: string | undefined
  readonly placeholder: string
}

const TextField = ({ label, name, value, placeholder }: TextFieldProps) => (
  <label>
    {label}
    <input
      name={name}
      required
      maxlength={255}
      value={typedText(value ?? '')}
      placeholder={placeholder}
      autocomplete="off"
    />
  </label>
)

/** Asks for the namespace where there are several. */
export const NamespaceField = ({
  namespaces,
  chosen,
  any,
}: {
  namespaces: readonly string[]
  chosen?: string | undefined
  any?: string
}) =>
  namespaces.length > 1 && (
    <label>
      Namespace
      <select name="namespace">
        {any !== undefined && <option value="">{any}</option>}
        {namespaces.map((name) => (
          <option value={namespaceSlug(name)} selected={name === chosen || namespaceSlug(name) === chosen}>
            {neutralize(name)}
          </option>
        ))}
      </select>
    </label>
  )

export const ScopeField = ({ value, isRequired = true }: { value?: string | undefined; isRequired?: boolean }) => (
  <label>
    Scope, one part a line
    <textarea
      name="scope"
      rows={2}
      placeholder={'tenant_7\nuser_42'}
      required={isRequired}
      autocomplete="off"
      spellcheck={false}
    >
      {typedText(value ?? '')}
    </textarea>
  </label>
)
