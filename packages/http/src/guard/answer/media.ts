/** The two rules about an answer's representation: streamed media types pass, and coded bodies are not recorded. */
import { type HeaderField, headerValues, mediaTypeOf } from '../../protocol/exchange.ts'

const streamedTypes = new Set(['text/event-stream', 'application/x-ndjson', 'application/ndjson'])

/** Returns true for a media type whose body is read while it is made. */
export function isStreamed(headers: readonly HeaderField[]): boolean {
  return streamedTypes.has(mediaTypeOf(headers))
}

/** Returns true for a body in a content coding: its bytes were made for one client, and mean nothing to another. */
export function isCoded({ headers }: { readonly headers: readonly HeaderField[] }): boolean {
  const codings = headerValues(headers, 'content-encoding')
  if (codings.length === 0) return false
  return codings
    .flatMap((value) => value.split(','))
    .some((coding) => !['', 'identity'].includes(coding.trim().toLowerCase()))
}
