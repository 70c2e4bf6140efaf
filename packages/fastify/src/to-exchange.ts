/** Translates a request of Fastify for the guard. */
import type { Exchange } from '@retryproof/http'
import { closeSignal, givenBody, headerFields, type LeftBody } from '@retryproof/http/node'
import type { FastifyReply, FastifyRequest } from 'fastify'

export function toExchange(
  request: FastifyRequest,
  reply: FastifyReply,
  json: Uint8Array | undefined,
): Exchange<FastifyRequest> {
  return {
    method: request.method,
    target: request.originalUrl,
    headers: headerFields(request.raw),
    ...(json ? { body: json } : givenBody(request.raw, partsOf(request.body))),
    route: routeOf(request),
    signal: () => closeSignal(reply.raw),
    native: request,
  }
}

/** A part of a form, as @fastify/multipart attaches it to the body. */
interface Part {
  readonly type: 'field' | 'file'
  readonly fieldname: string
  readonly value?: unknown
}

/** Fields and files of a form that @fastify/multipart took apart; any other body as it is. */
function partsOf(body: unknown): Pick<LeftBody, 'parsed' | 'files'> {
  const values: unknown[] = typeof body === 'object' && body !== null ? Object.values(body) : []
  if (!isPart([values[0]].flat()[0], body)) return { parsed: body }
  const parts = values.flat() as Part[]
  if (parts.length === 0 || !parts.every((part) => isPart(part, body))) return { parsed: body }
  const fields = Object.entries(body as Readonly<Record<string, Part | readonly Part[]>>)
    .map(([name, each]) => [name, [each].flat().filter(({ type }) => type === 'field')] as const)
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => [name, values.length > 1 ? values.map(({ value }) => value) : values[0]?.value])
  return { parsed: Object.fromEntries(fields), files: [parts.filter(({ type }) => type === 'file')] }
}

/** True only for parts of that form: each leads back to it, as nothing does that a client could send. */
function isPart(value: unknown, form: unknown): value is Part {
  return typeof value === 'object' && value !== null && 'fields' in value && value.fields === form
}

/** The operation contains host and version if the application constrains routes by them. */
function routeOf({ routeOptions, server, headers, host }: FastifyRequest): string | undefined {
  if (routeOptions.url === undefined) return undefined
  const isFor = (constraint: string) => server.hasConstraintStrategy(constraint)
  const authority = isFor('host') ? `//${host}` : ''
  const version = isFor('version') ? ` v${headers['accept-version'] ?? ''}` : ''
  return `${authority}${routeOptions.url}${version}`
}

/** Gives the method of the request where its route is for that method alone. */
export function ownMethod({ method, routeOptions }: FastifyRequest): string | undefined {
  return [routeOptions.method].flat().length === 1 ? method : undefined
}
