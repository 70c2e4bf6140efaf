/** The look of a response: while an answer is held, it looks as if it had been sent. */
import type { ServerResponse } from 'node:http'
import { isDetached } from './disconnect/hide-disconnect.ts'
import { holdable } from './held-answers.ts'

export interface ResponseSeal {
  /** Makes the head look sent, so that nobody changes it. */
  setHeadSent(sent: boolean): void
  /** Makes the body look ended, so that nobody writes to it. */
  setEnded(ended: boolean): void
}

/** HTTP/2 has no status message, and warns whoever asks for one. */
export function isHttp2(res: ServerResponse): boolean {
  return res.req.httpVersionMajor >= 2
}

export function sealOf(res: ServerResponse): ResponseSeal {
  return isHttp2(res) ? sealHttp2(res) : sealHttp1(res)
}

/** Sets the two fields from which Node itself derives `headersSent` and `writableEnded`. */
function sealHttp1(res: ServerResponse): ResponseSeal {
  const sealable = res as unknown as { _header: string | null; finished: boolean }
  const hold = isDetached(res) ? undefined : holdable(sealable, res.req)
  return {
    setHeadSent(sent) {
      sealable._header = sent ? 'captured' : null
    },
    setEnded(ended) {
      sealable.finished = ended
      hold?.(ended)
    },
  }
}

const mutators = ['setHeader', 'appendHeader', 'removeHeader'] as const

/** Shadows the getters of HTTP/2's response, and refuses changes of a head that looks sent as Node does. */
function sealHttp2(res: ServerResponse): ResponseSeal {
  return {
    setHeadSent(sent) {
      shadow(res, ['headersSent', '_header'], sent)
      for (const name of mutators) {
        if (sent) Object.assign(res, { [name]: refuseChange })
        else Reflect.deleteProperty(res, name)
      }
    },
    setEnded(ended) {
      shadow(res, ['writableEnded', 'finished'], ended)
      const state = stateOf(res)
      if (state) state.ending = ended
    },
  }
}

/** Gives the note by which Node knows that an end or a write comes after the end. It shows that in no other way. */
function stateOf(res: ServerResponse): { ending: boolean } | undefined {
  const symbol = Object.getOwnPropertySymbols(res).find(({ description }) => description === 'state')
  return symbol && (Reflect.get(res, symbol) as { ending: boolean })
}

function shadow(res: ServerResponse, names: readonly string[], value: boolean): void {
  for (const name of names) {
    if (value) Object.defineProperty(res, name, { configurable: true, value })
    else Reflect.deleteProperty(res, name)
  }
}

/** Refuses to change a head of HTTP/2 that looks sent. */
export function refuseChange(): never {
  throw Object.assign(new Error('Response has already been initiated.'), { code: 'ERR_HTTP2_HEADERS_SENT' })
}
