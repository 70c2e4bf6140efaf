import { createHash } from 'node:crypto'
import type { RecordView } from '@retryproof/core'
import type { Command } from '@retryproof/core/store'
import type { Reply } from './command.ts'

/**
 * A reply as plain data that compares by value and prints in one line: bytes as text, and only the members of the port,
 * so that a store may add its own.
 */
export function readable(reply: Reply): Record<string, unknown> | null {
  if (reply === null || typeof reply !== 'object') return reply
  if (!('outcome' in reply)) return readableView(reply)
  switch (reply.outcome) {
    case 'ok':
      return { outcome: 'ok', applied: reply.applied }
    case 'lost':
      return { outcome: 'lost', current: reply.current === null ? null : readableView(reply.current) }
    default:
      return { outcome: reply.outcome, ...readableView(reply) }
  }
}

function readableView(view: RecordView): Record<string, unknown> {
  return {
    state: view.state,
    token: view.token,
    fingerprint: view.fingerprint,
    attempt: view.attempt,
    interrupted: view.interrupted,
    leaseRemainingMs: view.leaseRemainingMs,
    retentionRemainingMs: view.retentionRemainingMs,
    request: readableBytes(view.request),
    checkpoint: view.checkpoint && { seq: view.checkpoint.seq, data: readableBytes(view.checkpoint.data) },
    result: readableBytes(view.result),
  }
}

/** Bytes as hexadecimal, long ones as their length and digest; anything that is not bytes as it is. */
export function readableBytes(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value
  if (value.byteLength <= 32) return `bytes ${Buffer.from(value).toString('hex')}`
  return `${value.byteLength} bytes, sha256 ${createHash('sha256').update(value).digest('hex')}`
}

/** A command in one line. */
export function describeCommand(command: Command): string {
  switch (command.op) {
    case 'begin':
      return `begin ${inOneLine(command.claim)}`
    case 'transition':
      return `transition ${command.token} ${inOneLine(command.change)}`
    case 'get':
      return 'get'
  }
}

/** Any data in one line. */
export function inOneLine(data: unknown): string {
  return JSON.stringify(data, (_, value) => readableBytes(value))
}
