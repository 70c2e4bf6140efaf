/** The changes that a person can make to a record, and what each needs to be told. */
import { isIdempotencyError, type ListedRecord } from '@retryproof/core'
import { partsOf } from '@retryproof/core/internal'
import { type GivenResponse, resolveResponse } from '@retryproof/http'
import { isRouteSlug } from '@retryproof/http/internal'
import type { ConsoleActionName, ConsoleInstance } from '../options.ts'

export type RecordAction = Exclude<ConsoleActionName, 'erase'>

export const RECORD_ACTIONS: readonly RecordAction[] = ['complete', 'respond', 'fail', 'rerun', 'forget']

/** Returns the actions that a record takes, the usual one first. Callers of a route read responses alone. */
export function fittingActions({ state, key }: Pick<ListedRecord, 'state' | 'key'>): readonly RecordAction[] {
  if (state !== 'parked') return ['forget']
  return isRouteSlug(partsOf(key).operation)
    ? ['respond', 'rerun', 'forget']
    : ['complete', 'fail', 'rerun', 'respond', 'forget']
}

/** The record that a person saw. */
type SeenRecord = Pick<ListedRecord, 'key' | 'token'>

/** The fields of a form. */
export type Fields = Pick<URLSearchParams, 'get'>

/** A field that a person filled in wrongly. Nothing was changed. */
export class FieldError extends Error {
  readonly field: string

  constructor(field: string, message: string) {
    super(message)
    this.name = 'FieldError'
    this.field = field
  }
}

/**
 * Changes a record. Returns false if it is gone, or that of another attempt than `record`.
 *
 * @throws {@link FieldError} when a field cannot be used
 * @throws {@link IdempotencyNotParkedError} when the record is in another state
 */
export async function changeRecord(
  instance: ConsoleInstance,
  { key, token }: SeenRecord,
  action: RecordAction,
  fields: Fields,
): Promise<boolean> {
  try {
    return (await CHANGES[action](instance, { key, token }, fields)) !== false
  } catch (error) {
    if (!isIdempotencyError(error, 'IDEMPOTENCY_INVALID_CALL')) throw error
    throw new FieldError('value', error.message)
  }
}

const CHANGES: Readonly<
  Record<RecordAction, (instance: ConsoleInstance, record: SeenRecord, fields: Fields) => Promise<unknown>>
> = {
  complete: (instance, record, fields) => instance.resolve(record, { completed: readJson(fields.get('value') ?? '') }),
  respond: (instance, record, fields) => resolveResponse(instance, record, readResponse(fields)),
  fail: (instance, record, fields) => instance.resolve(record, { failed: new Error(readMessage(fields)) }),
  rerun(instance, record, fields) {
    requireCertainty(fields)
    return instance.resolve(record, 'rerun')
  },
  forget(instance, record, fields) {
    requireCertainty(fields)
    return instance.forget(record)
  },
}

/** @throws {@link FieldError} unless the person ticked the box */
export function requireCertainty(fields: Fields): void {
  if (fields.get('certain') !== 'yes') throw new FieldError('certain', 'Tick the box first: this cannot be undone.')
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FieldError('value', `This is no JSON: ${(error as Error).message}`)
  }
}

function readMessage(fields: Fields): string {
  const message = fields.get('message')?.trim() ?? ''
  if (message === '') throw new FieldError('message', 'Write the message that every retry gets.')
  return message
}

function readResponse(fields: Fields): GivenResponse {
  const status = Number(/^[2-5]\d\d$/.exec(fields.get('status')?.trim() ?? ''))
  if (status === 0) throw new FieldError('status', 'The status is a number from 200 to 599.')
  const type = fields.get('type')?.trim() ?? ''
  const text = fields.get('value') ?? ''
  if (text === '') return { status }
  // the bytes are sent as they were typed; JSON is only checked
  if (/\bjson\b/i.test(type)) readJson(text)
  return { status, headers: { 'content-type': type || 'application/json' }, body: new TextEncoder().encode(text) }
}
