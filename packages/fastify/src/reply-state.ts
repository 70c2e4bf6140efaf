/** State that Fastify keeps on a reply under symbols of its own, and shows in no other way. */
import type { FastifyReply } from 'fastify'

type State = 'hijacked' | 'isError' | 'nextErrorHandler'

export function stateOf(reply: FastifyReply, state: State): unknown {
  const symbol = symbolOf(reply, state)
  return symbol && Reflect.get(reply, symbol)
}

export function setState(reply: FastifyReply, state: State, value: unknown): void {
  const symbol = symbolOf(reply, state)
  if (symbol) Reflect.set(reply, symbol, value)
}

function symbolOf(reply: FastifyReply, state: State): symbol | undefined {
  const description = `fastify.reply.${state}`
  return Object.getOwnPropertySymbols(reply).find((each) => each.description === description)
}
