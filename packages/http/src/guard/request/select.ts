/** Picks the members of a body that count. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { isPlain } from '@retryproof/core/internal'
import type { UploadedFile } from '../../protocol/exchange.ts'
import type { BodyForm } from './body-headers.ts'
import type { FingerprintMembers } from './fingerprint-option.ts'
import { kindOf, nameOf, opaque } from './parsed-body-text.ts'

/**
 * The members of a body that count: for `pick` each with its path, so that no name of the client's is taken for one of
 * ours; for `omit` the body without the others. A body that has no members counts whole.
 *
 * @throws {@link IdempotencyInvalidOptionError} where a member is asked of what nobody can look into, and where a picked
 * field may be a file that its parser took away
 */
export async function select(
  value: unknown,
  files: readonly UploadedFile[] | undefined,
  { pick, omit }: FingerprintMembers,
  form: BodyForm,
): Promise<unknown> {
  if (typeof value !== 'object' || value === null) return value
  if (omit) return omit.reduce<unknown>((rest, path) => without(rest, path.split('.')), value)
  const members: unknown[] = []
  for (const path of [...new Set(pick)].sort()) {
    const found = [...literal(value, path), ...memberAt(value, path.split('.')), ...(await filesOf(files, path))]
    if (found.length === 0 && !files && form.isParsed && form.mediaType.startsWith('multipart/'))
      throw unknownField(path)
    members.push([path, found])
  }
  return members
}

/** A member whose own name has dots. */
function literal(value: object, path: string): unknown[] {
  const members = membersOf(value)
  return path.includes('.') && Object.hasOwn(members, path) ? [members[path]] : []
}

function memberAt(value: unknown, path: readonly string[]): unknown[] {
  const [name, ...rest] = path
  if (name === undefined) return value === undefined ? [] : [value]
  if (typeof value !== 'object' || value === null) return []
  const members = membersOf(value)
  return Object.hasOwn(members, name) ? memberAt(members[name], rest) : []
}

function without(value: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path
  if (typeof value !== 'object' || value === null || name === undefined) return value
  const kind = kindOf(value)
  if (kind === 'Map') return new Map([...(value as Map<unknown, unknown>)].filter(([each]) => each !== name))
  if (kind === 'URLSearchParams') return new URLSearchParams(entriesOf(value).filter(([each]) => each !== name) as [])
  const members = membersOf(value)
  if (!Object.hasOwn(members, name)) return value
  if (Array.isArray(value)) return value.map((item, index) => (`${index}` === name ? without(item, rest) : item))
  return Object.fromEntries(
    Object.entries(members).flatMap(([member, item]) =>
      member !== name ? [[member, item]] : rest.length === 0 ? [] : [[member, without(item, rest)]],
    ),
  )
}

/** By name; of a name that occurs several times a list, as parsers of forms give it. */
function membersOf(value: object): Readonly<Record<string, unknown>> {
  const kind = kindOf(value)
  if (['Map', 'URLSearchParams', 'FormData'].includes(kind)) return groupEntries(entriesOf(value))
  if (Array.isArray(value) || isPlain(value)) return value as Readonly<Record<string, unknown>>
  throw opaque(nameOf(value), '')
}

export function groupEntries(entries: Iterable<readonly [name: string, value: unknown]>): Record<string, unknown> {
  const groups = new Map<string, unknown[]>()
  for (const [name, value] of entries) groups.set(name, [...(groups.get(name) ?? []), value])
  return Object.fromEntries([...groups].map(([name, values]) => [name, values.length > 1 ? values : values[0]]))
}

function entriesOf(value: object): (readonly [name: string, value: unknown])[] {
  return [...(value as Iterable<readonly [string, unknown]>)]
}

async function filesOf(files: readonly UploadedFile[] | undefined, field: string): Promise<unknown[]> {
  const named = files?.filter((file) => file.field === field) ?? []
  return Promise.all(named.map(async ({ name, type, digest }) => ({ name, type, content: await digest() })))
}

function unknownField(path: string): IdempotencyInvalidOptionError {
  return new IdempotencyInvalidOptionError(
    'fingerprint',
    `picks '${path}', which the parsed form does not have, and its parser does not say which files there were: let idempotent() come before that parser, or name what counts, fingerprint: (request) => …`,
  )
}
