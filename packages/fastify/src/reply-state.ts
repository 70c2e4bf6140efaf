/** State that Fastify keeps on a reply under symbols of its own, and shows in no other way. */
import type { FastifyReply } from 'fastify'

type State = 'headers' | 'hijacked' | 'isError' | 'nextErrorHandler'

const known = new Map<State, symbol>()

export function stateOf(reply: FastifyReply, state: State): unknown {
  const symbol = symbolOf(reply, state)
  return symbol && Reflect.get(reply, symbol)
}

export function setState(reply: FastifyReply, state: State, value: unknown): void {
  const symbol = symbolOf(reply, state)
  if (symbol) Reflect.set(reply, symbol, value)
}

function symbolOf(reply: FastifyReply, state: State): symbol | undefined {
  const last = known.get(state)
  // a process may have several copies of Fastify
  if (last && Object.hasOwn(reply, last)) return last
  const description = `fastify.reply.${state}`
  const symbol = Object.getOwnPropertySymbols(reply).find((each) => each.description === description)
  if (symbol) known.set(state, symbol)
  return symbol
}
