/** The page for people, in Markdown. */
import { RELEASING_STATUSES } from '../../guard/answer/record-policy.ts'
import { problems } from '../../protocol/problems.ts'
import type { Facts } from './facts.ts'

const recorded = {
  final: `every final answer: statuses below 500, except ${RELEASING_STATUSES.join(', ')}`,
  success: 'every answer with a status below 400, except 207',
  all: 'every answer, server errors included',
  some: 'the answers that this resource counts as final',
} as const

export function markdownOf(facts: Facts): string {
  return `${[title(facts), sending(facts), retrying(facts), expiry(facts), refusals(facts)].join('\n\n')}\n`
}

function title({ methods, isRequired }: Facts): string {
  const what = `${methods.join(', ')} requests of this resource can be retried safely`
  return `# Idempotency\n\n${what}${isRequired ? '' : ' if they carry a key'}.`
}

function sending({ hasHeader, isRequired, isStrict }: Facts): string {
  if (!hasHeader) return '## The key\n\nThe key is part of the request itself: the same request is the same operation.'
  const form = isStrict
    ? 'It is a string in double quotes.'
    : 'It is a string in double quotes; without quotes it is the same key.'
  return `## The key

Send \`Idempotency-Key\` with ${isRequired ? 'every such request' : 'a request that you may have to send again'}: a value of 1 to 255 characters that is new for each
request, such as a UUID. ${form} A key is yours alone, and belongs to one operation.`
}

function retrying({ record, fingerprint, accepts, replayHeader }: Facts): string {
  const members =
    fingerprint === 'some'
      ? 'what this resource compares of it'
      : fingerprint?.pick
        ? `media type, path and query, and the members ${list(fingerprint.pick)} of the body`
        : fingerprint?.omit?.length
          ? `media type, path and query, and all members of the body but ${list(fingerprint.omit)}`
          : 'media type, path and query, and the body'
  const waiting = accepts
    ? 'is answered with 202, `Idempotency-Status: pending` and the `Location` of the answer'
    : 'is answered with 409 and `Retry-After`'
  return `## Retrying

Send the same request with the same key. The same are: the method, ${members}. A key that
comes with anything else is refused with 422.

While the first request runs, a retry ${waiting}. After that it gets the first
answer again, marked \`${replayHeader}: true\`: ${recorded[record]}. Any other answer releases the key, and a
retry is handled anew.`
}

function expiry({ retentionMs }: Facts): string {
  return `## Expiry

An answer is kept for ${duration(retentionMs)} after it was given. After that the same key is a new request.`
}

function refusals({ problems: types }: Facts): string {
  const sections = types.map((type) => {
    const { status, advice, retryable } = problems[type]
    return `### ${type}\n\n${status}${retryable ? ', `Retry-After`' : ''}. ${advice}`
  })
  return `## Problems\n\nRefusals are problems of RFC 9457 with one of these types.\n\n${sections.join('\n\n')}`
}

function list(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ')
}

const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const

function duration(ms: number): string {
  const [unit, size] = units.find(([, each]) => ms % each === 0) ?? ['ms', 1]
  const count = ms / size
  return `${count} ${unit}${count === 1 || unit === 'ms' ? '' : 's'}`
}
