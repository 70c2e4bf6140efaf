/** The headers that say how a body is to be read. */
import { type HeaderField, headerValues, mediaTypeOf } from '../../protocol/exchange.ts'

export interface BodyForm {
  /** In lower case, without parameters. */
  readonly mediaType: string
  /** Empty where it is the one that JSON has. */
  readonly charset: string
  /** Empty where there is none. */
  readonly coding: string
  /** Tells whether a parser of the application has read the body. */
  readonly isParsed: boolean
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i

export function bodyForm(headers: readonly HeaderField[], isParsed: boolean): BodyForm {
  const mediaType = mediaTypeOf(headers)
  const [type = ''] = headerValues(headers, 'content-type')
  const charset = type === mediaType ? '' : (CHARSET.exec(type)?.[1] ?? '').toLowerCase()
  const codings = headerValues(headers, 'content-encoding')
  const coding = codings.length === 0 ? '' : codings.join().replaceAll(' ', '').toLowerCase()
  return {
    mediaType,
    charset: isJson(mediaType) && /^utf-?8$/.test(charset) ? '' : charset,
    coding: coding === 'identity' ? '' : coding,
    isParsed,
  }
}

export function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || mediaType.endsWith('+json')
}
