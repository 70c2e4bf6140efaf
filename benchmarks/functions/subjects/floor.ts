import { hash } from 'node:crypto'
import type { Json } from '../subject.ts'

/** What each floor compares payloads by. */
export function fingerprintOf(payload: Json): string {
  return hash('sha256', JSON.stringify(payload))
}
