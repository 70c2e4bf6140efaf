/** The spelling that clients of an ecosystem expect: replay header, statuses and shape of problems. */
import type { ProblemShape } from '../../protocol/problem-response.ts'
import type { Problem, ProblemCode } from '../../protocol/problems.ts'

/**
 * `'ietf'`: the IETF draft, with problems of RFC 9457. `'stripe'`: `Idempotent-Replayed` and `{ error: { type, code, message } }`.
 * `'acp'`: the Agentic Commerce Protocol, `Idempotent-Replayed` and `{ type, code, message }`.
 */
export type Preset = 'ietf' | 'stripe' | 'acp'

export interface PresetSpelling {
  readonly replayHeader: string
  readonly problem: ProblemShape | undefined
}

export const presets: Readonly<Record<Preset, PresetSpelling>> = {
  ietf: { replayHeader: 'Idempotency-Replayed', problem: undefined },
  stripe: { replayHeader: 'Idempotent-Replayed', problem: stripeProblem },
  acp: { replayHeader: 'Idempotent-Replayed', problem: acpProblem },
}

const stripeCodes: Partial<Record<ProblemCode, string>> = { 'in-progress': 'idempotency_key_in_use' }

function stripeProblem(problem: Problem) {
  const { code, status, detail, type, retryable } = problem
  const isAboutKey = code === 'in-progress' || code === 'key-reused'
  return {
    status: code === 'key-reused' ? 400 : status,
    headers: { 'Stripe-Should-Retry': String(retryable) },
    body: {
      error: {
        type: isAboutKey ? 'idempotency_error' : status < 500 ? 'invalid_request_error' : 'api_error',
        code: stripeCodes[code] ?? snakeCase(code),
        message: detail,
        doc_url: type,
      },
    },
  }
}

const acpCodes: Partial<Record<ProblemCode, string>> = {
  'key-missing': 'idempotency_key_required',
  'in-progress': 'idempotency_in_flight',
  'key-reused': 'idempotency_conflict',
}

function acpProblem({ code, status, detail }: Problem) {
  const type = status === 503 ? 'service_unavailable' : status < 500 ? 'invalid_request' : 'processing_error'
  return { body: { type, code: acpCodes[code] ?? snakeCase(code), message: detail } }
}

function snakeCase(code: ProblemCode): string {
  return code.replaceAll('-', '_')
}
