import { hash } from 'node:crypto'
import type { Json } from '../subject.ts'

/** Digests a payload: each floor compares payloads by it. */
export function fingerprintOf(payload: Json): string {
  return hash('sha256', JSON.stringify(payload))
}
