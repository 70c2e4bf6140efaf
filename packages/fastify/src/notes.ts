/** Notes of one guarded route on its requests. */
import type { FastifyRequest } from 'fastify'

export interface Notes<Note> {
  get(request: FastifyRequest): Note | undefined
  set(request: FastifyRequest, note: Note): void
}

/** Keeps each note on the request itself, since a WeakMap of all requests would cost each garbage collection more. */
export function notesOn<Note>(name: string): Notes<Note> {
  const symbol = Symbol(`retryproof.${name}`)
  const noted = (request: object) => request as { [symbol]?: Note }
  return {
    get: (request) => noted(request)[symbol],
    set(request, note) {
      noted(request)[symbol] = note
    },
  }
}
