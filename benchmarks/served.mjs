// A server in a process of its own.
import { fork } from 'node:child_process'
import { nodeFlags } from './bundle.mjs'

/** Starts the program, which tells its port first. */
export async function startServer(file, args) {
  const child = fork(file, args, { execArgv: nodeFlags })
  const reply = () => new Promise((resolve) => child.once('message', resolve))
  return {
    port: await reply(),
    /** Sends the program a message, and gives its reply. */
    ask(message) {
      child.send(message)
      return reply()
    },
    async stop() {
      const exit = new Promise((resolve) => child.once('exit', resolve))
      child.disconnect()
      await exit
    },
  }
}
