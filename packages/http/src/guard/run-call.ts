/** Runs the call of a request, and makes what is recorded of the end of its handler. */
import { type Attempt, isIdempotencyError, type Outcome, rollBack } from '@retryproof/core'
import { failAndAnswer, isRelease, type MaybePromise } from '@retryproof/core/internal'
import type { HandlerAnswer, HttpResponse } from '../protocol/exchange.ts'
import { toResult, toResultOfThrow } from './answer/to-result.ts'
import type { WatchedCalls } from './handler-calls.ts'
import type { HandlerEnd, Threw } from './handler-end.ts'
import { type Mark, releaseRefused } from './marks.ts'
import type { ResolvedOptions } from './options/read-options.ts'
import type { Asked } from './prepare-call.ts'

/** Runs the call; where its key was used for another request, by each rule that is accepted besides. */
export async function runAccepted<Native, Tx>(
  asked: Asked<Tx>,
  execute: (attempt: Attempt, tx: Tx | undefined) => Promise<HandlerEnd>,
  calls: WatchedCalls<Tx>,
  options: ResolvedOptions<Native, Tx>,
  mark: Mark,
): Promise<Outcome<HttpResponse | undefined>> {
  let refused: unknown
  for (const call of [asked.call, ...asked.accepted]) {
    try {
      return await run({ ...asked, call }, execute, options, mark)
    } catch (error) {
      if (calls.threw(error) || !isIdempotencyError(error, 'IDEMPOTENCY_KEY_REUSED')) throw error
      refused ??= error
    }
  }
  throw refused
}

/** Runs the call. The value is undefined where the core replays no more than that it is done. */
export function run<Native, Tx>(
  { operation, call, policies }: Asked<Tx>,
  execute: (attempt: Attempt, tx: Tx | undefined) => Promise<HandlerEnd>,
  { transaction, commitWhen }: ResolvedOptions<Native, Tx>,
  mark: Mark,
): Promise<Outcome<HttpResponse | undefined>> {
  function resultOfAnswer(answer: HandlerAnswer): Result {
    return mark.refusal ? releaseRefused(mark.refusal, answer.response) : toResult(answer, mark.records)
  }
  async function resultOfThrow({ error, answer }: Threw): Promise<Result> {
    const given = await answer()
    return mark.refusal ? resultOfAnswer(given) : toResultOfThrow(error, given, mark.records)
  }
  /** No answer frees the key of a handler that is at work: what that answers itself comes in its place. */
  function lastOf(end: HandlerEnd, result: Result): MaybePromise<Result> {
    return end.outlast && isRelease(result) && !mark.isAnswered ? end.outlast().then(resultOf) : result
  }
  function resultOf(end: HandlerEnd): MaybePromise<Result> {
    if (end.kind === 'threw') return resultOfThrow(end).then((result) => lastOf(end, result))
    return lastOf(end, resultOfAnswer(end.answer))
  }
  if (!transaction) {
    return operation.run(call, async (attempt) => resultOf(await execute(attempt, undefined)), policies)
  }
  return operation.transaction(
    call,
    async (tx, attempt) => {
      const end = await execute(attempt, tx)
      if (end.kind === 'threw') return failAndAnswer(end.error, () => resultOfThrow(end))
      const result = resultOfAnswer(end.answer)
      const { status } = end.answer.response
      // by default a write commits only with an answer that is recorded, since a retry would write again
      const commits = !mark.refusal && (commitWhen?.(status) ?? (status < 400 && !isRelease(result)))
      return commits ? result : rollBack(result)
    },
    policies,
  )
}

type Result = ReturnType<typeof toResult>
