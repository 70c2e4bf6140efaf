/** An OpenAPI 3.1 fragment. */
import { type ProblemCode, problems } from '../../protocol/problems.ts'
import type { Facts } from './facts.ts'

type Json = Readonly<Record<string, unknown>>

export interface OpenApiFragment {
  readonly components: {
    readonly parameters: Json
    readonly headers: Json
    readonly responses: Json
    readonly schemas: Json
  }
  readonly operation: { readonly parameters: readonly Json[]; readonly responses: Readonly<Record<string, Json>> }
}

const ref = (kind: string, name: string): Json => ({ $ref: `#/components/${kind}/${name}` })

export function openApiOf(facts: Facts): OpenApiFragment {
  const statuses = [...new Set(facts.problems.map((type) => problems[type].status))]
  const typesOf = (status: number) => facts.problems.filter((type) => problems[type].status === status)
  const refused = statuses.map((status) => [`IdempotencyProblem${status}`, problemOf(typesOf(status))] as const)
  const pending = facts.accepts ? [['IdempotencyPending', pendingOf()] as const] : []
  return {
    components: {
      parameters: facts.hasHeader ? { IdempotencyKey: keyOf(facts) } : {},
      headers: headersOf(facts),
      responses: Object.fromEntries([...pending, ...refused]),
      schemas: { IdempotencyProblem: schemaOf(facts) },
    },
    operation: {
      parameters: facts.hasHeader ? [ref('parameters', 'IdempotencyKey')] : [],
      responses: Object.fromEntries([
        ...(facts.accepts ? [['202', ref('responses', 'IdempotencyPending')] as const] : []),
        ...statuses.map((status) => [`${status}`, ref('responses', `IdempotencyProblem${status}`)] as const),
      ]),
    },
  }
}

function keyOf({ isRequired, isStrict, retentionMs }: Facts): Json {
  return {
    name: 'Idempotency-Key',
    in: 'header',
    required: isRequired,
    description: `A value that is new for each request, in double quotes${isStrict ? '' : ' or without'}. A retry with the same value within ${retentionMs / 1000} s gets the first answer again.`,
    schema: { type: 'string', minLength: 1, maxLength: 1024 },
    example: '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
  }
}

function headersOf({ replayHeader, accepts }: Facts): Json {
  const description = `\`${replayHeader}\`: \`true\` on an answer that is replayed.`
  return {
    IdempotencyReplayed: { description, schema: { const: 'true' } },
    ...(accepts && {
      IdempotencyStatus: { description: '`pending` while there is no answer yet.', schema: { const: 'pending' } },
    }),
  }
}

function pendingOf(): Json {
  return {
    description: 'Accepted, and not done yet: `Location` will have the answer.',
    headers: {
      Location: { required: true, schema: { type: 'string', format: 'uri-reference' } },
      'Retry-After': { required: true, schema: { type: 'integer', minimum: 1 } },
      'Idempotency-Status': ref('headers', 'IdempotencyStatus'),
    },
    content: {
      'application/json': {
        schema: {
          type: 'object',
          description: 'Repeats the headers, which CORS may hide from a page of another origin.',
          properties: {
            status: { const: 'pending' },
            idempotencyStatus: { const: 'pending' },
            location: { type: 'string', format: 'uri-reference' },
            retryAfter: { type: 'integer', minimum: 1 },
          },
        },
      },
    },
  }
}

function problemOf(types: readonly ProblemCode[]): Json {
  const mayWait = types.some((type) => problems[type].retryable)
  return {
    description: types.map((type) => `\`${type}\`: ${problems[type].advice}`).join('\n\n'),
    headers: {
      Link: { description: 'The page that explains the problem, `rel="describedby"`.', schema: { type: 'string' } },
      ...(mayWait && { 'Retry-After': { schema: { type: 'integer', minimum: 1 } } }),
    },
    content: { 'application/problem+json': { schema: ref('schemas', 'IdempotencyProblem') } },
  }
}

function schemaOf({ docs, problems: types }: Facts): Json {
  const base = docs.replace(/#.*/, '')
  return {
    type: 'object',
    description: 'A problem as RFC 9457 has it.',
    required: ['type', 'title', 'status', 'detail', 'instance', 'retryable'],
    properties: {
      type: { type: 'string', format: 'uri', examples: types.map((type) => `${base}#${type}`) },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      instance: { type: 'string', format: 'uri' },
      retryable: { type: 'boolean', description: 'Whether the same request with the same key may succeed later.' },
      retryAfter: { type: 'integer', minimum: 1, description: 'The seconds of `Retry-After`, where it is retryable.' },
      original: {
        type: 'object',
        description: 'Status and Location of an answer that was not recorded.',
        properties: { status: { type: 'integer' }, location: { type: 'string' } },
      },
    },
  }
}
