/** Errors by which Nest and outer interceptors learn of an answer that they did not make. */
import type { ServerResponse } from 'node:http'
import { HttpException } from '@nestjs/common'
import { type HttpResponse, headerValues } from '@retryproof/http'
import type { Subscriber } from 'rxjs'
import type { Platform } from './platform/platform.ts'

/**
 * Sends an answer, and ends the interceptors outside once it has left: with its value where it is JSON, and with an exception where it
 * is a refusal. The answers of interceptors, filters or Nest to them are dropped.
 */
export async function sendAndTell(
  subscriber: Subscriber<unknown>,
  platform: Platform,
  response: HttpResponse,
): Promise<void> {
  // asked before it is sent: one that a guard further out holds looks as if it had left
  const left = whenLeft(platform.res)
  platform.send(response)
  await left
  platform.mute()
  const value = jsonOf(response)
  if (response.status >= 400) {
    subscriber.error(new HttpException(typeof value === 'object' && value !== null ? value : '', response.status))
    return
  }
  subscriber.next(value)
  subscriber.complete()
}

/**
 * Nest writes the head of an event stream before the interceptors have decided, unless it takes the response for ended.
 * Gives what ends that.
 */
export function holdHead(res: ServerResponse): () => void {
  Object.defineProperty(res, 'writableEnded', { configurable: true, get: () => true })
  return () => {
    Reflect.deleteProperty(res, 'writableEnded')
  }
}

function jsonOf({ headers, body }: HttpResponse): unknown {
  if (!headerValues(headers, 'content-type').some((type) => /[/+]json\b/.test(type))) return undefined
  try {
    return JSON.parse(Buffer.from(body).toString())
  } catch {
    return undefined
  }
}

/** Resolves also when its client went away before. */
function whenLeft(res: ServerResponse): Promise<void> {
  if (res.destroyed) return Promise.resolve()
  return new Promise((resolve) => res.once('finish', resolve).once('close', resolve))
}
