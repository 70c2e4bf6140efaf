/** Shared by every floor: a Map of answers by key, and a digest of the body. */
import { createHash } from 'node:crypto'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string | Uint8Array
}

interface Entry {
  readonly fingerprint: string
  answer: Answer | undefined
}

/** A claim has an answer to send, or is to be settled with one. */
export interface Claim {
  readonly answer: Answer | undefined
  settle(answer: Answer): void
}

export function byHand(): (key: unknown, body: string) => Claim {
  const entries = new Map<unknown, Entry>()
  return (key, body) => {
    const fingerprint = createHash('sha256').update(body).digest('hex')
    const known = entries.get(key)
    if (known) return { answer: answerOf(known, fingerprint), settle: () => {} }
    const entry: Entry = { fingerprint, answer: undefined }
    entries.set(key, entry)
    return {
      answer: undefined,
      settle(answer) {
        entry.answer = answer
      },
    }
  }
}

function answerOf({ fingerprint, answer }: Entry, given: string): Answer {
  if (fingerprint !== given) return { status: 422, type: 'text/plain', body: '' }
  return answer ?? { status: 409, type: 'text/plain', body: '' }
}
