/** The words of each action: what was found out, what the button does, and what can go wrong. */
import type { RecordAction } from '../../records/change-record.ts'

export interface ActionTexts {
  /** Stands on the record's page. */
  readonly link: string
  readonly title: string
  readonly effect: string
  readonly button: string
  /** Must be ticked first. */
  readonly certain?: string
  readonly done: string
}

export const ACTION_TEXTS: Readonly<Record<RecordAction, ActionTexts>> = {
  complete: {
    link: 'It happened: record the result…',
    title: 'It happened: record the result',
    effect: 'Every retry of this key gets the result below. The handler does not run again.',
    button: 'Record this result',
    done: 'The result is recorded. Every retry gets it.',
  },
  respond: {
    link: 'I know what happened: record the response…',
    title: 'Record the response that the client gets',
    effect: 'Every retry of this request gets the response below. The handler does not run again.',
    button: 'Record this response',
    done: 'The response is recorded. Every retry gets it.',
  },
  fail: {
    link: 'It failed: record the failure…',
    title: 'It failed: record the failure',
    effect: 'Every retry of this key gets an error with this message. The handler does not run again.',
    button: 'Record this failure',
    done: 'The failure is recorded. Every retry gets it.',
  },
  rerun: {
    link: 'It did not happen: run again…',
    title: 'It did not happen: let the next retry run',
    effect: 'The key is released. The next retry runs the handler.',
    button: 'Release the key',
    certain: 'I have checked that the write did not happen. If it did, it happens twice.',
    done: 'The key is released. The next retry runs the handler.',
  },
  forget: {
    link: 'Forget the record…',
    title: 'Forget the record',
    effect:
      'The record is deleted. The next request with this key runs the handler as if there had been none before, whatever its payload.',
    button: 'Forget the record',
    certain: 'I know that a retry of this request will happen again.',
    done: 'The record is forgotten.',
  },
}
