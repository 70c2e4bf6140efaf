/** Reads the form of a change, from a page of ours alone. */
import type { PageContext } from '../pages/page-context.ts'
import { isOurForm } from '../security/form-token.ts'
import { PageError } from './error-answers.tsx'

/** Percent-encoding makes at most three of one: the largest result that a store keeps by default, and its fields. */
const MAX_FORM_BYTES = 4 * 1024 * 1024

export const outOfDate = new PageError(403, {
  title: 'This form is out of date',
  text: 'It did not come from a page that you opened here, or its cookie is gone. Nothing was done. Open the record again.',
  onward: ['Go to the records', '/records'],
})

/** @throws PageError when the form is too large, or comes from elsewhere */
export async function readForm(request: Request, user: string): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers.get('content-type') ?? ''))
    throw new PageError(415, { title: 'Not a form', text: 'Nothing was done.' })
  const fields = new URLSearchParams(await readText(request))
  if (await isOurForm(request, user, fields.get('form-token'))) return fields
  throw outOfDate
}

async function readText({ body }: Request): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of (body ?? []) as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > MAX_FORM_BYTES)
      throw new PageError(413, { title: 'Too much text', text: 'A form takes 4 MiB. Nothing was done.' })
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** @throws PageError where nothing may be changed */
export function requireChanges({ mayChange }: PageContext): void {
  if (!mayChange)
    throw new PageError(403, { title: 'Read-only', text: 'You may look here, and change nothing. Nothing was done.' })
}
