/** @jsxImportSource hono/jsx */
/** Shows a value of a record, redacted, as JSON or text; cuts a long one, which can be downloaded whole. */
import { neutralizeJson, toPlain } from '@retryproof/http/internal'
import type { PageContext } from '../page-context.ts'
import { ForeignBlock } from '../parts.tsx'

/** The most characters that a page shows of a value. */
export const MAX_SHOWN = 4000

export type ValuePart = 'request' | 'value' | 'error'

export interface ValueCardProps {
  readonly page: PageContext
  readonly recordKey: string
  readonly part: ValuePart
  readonly title: string
  readonly value: unknown
  /** Stands in the place of a value that is not there. */
  readonly missing?: string
}

export function ValueCard({ page, recordKey, part, title, value, missing }: ValueCardProps) {
  const text = toText(value)
  return (
    <section class="card" aria-labelledby={part}>
      <h2 id={part}>{title}</h2>
      {text === undefined ? (
        <p class="quiet">{missing ?? 'Nothing was recorded but that it is done.'}</p>
      ) : (
        <>
          <ForeignBlock text={cut(text)} label={title} />
          <p class="quiet">
            What looks like a credential is left out.{' '}
            {text.length > MAX_SHOWN &&
              `These are the first ${MAX_SHOWN.toLocaleString('en')} of ${text.length.toLocaleString('en')} characters. `}
            <a href={page.link(`/records/${recordKey}/${part}.json`)}>
              {text.length > MAX_SHOWN ? 'Download the whole' : 'Download'}
            </a>
          </p>
        </>
      )}
    </section>
  )
}

/** Returns a value as it is downloaded: JSON without a character that a terminal would obey. */
export const toDownload = (value: unknown): string => `${neutralizeJson(JSON.stringify(value, toPlain, 2))}\n`

function toText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : JSON.stringify(value, toPlain, 2)
}

const cut = (text: string): string => (text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text)
