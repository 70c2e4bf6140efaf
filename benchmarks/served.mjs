// A server in a process of its own, and the requests that are sent to it.
import { fork } from 'node:child_process'
import { Agent, request } from 'node:http'
import { nodeFlags } from './bundle.mjs'

/** Starts the program, which tells its port first. */
export async function startServer(file, args, maxSockets) {
  const child = fork(file, args, { execArgv: nodeFlags })
  const reply = () => new Promise((resolve) => child.once('message', resolve))
  return {
    port: await reply(),
    agent: new Agent({ keepAlive: true, maxSockets }),
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

/** @throws unless the answer is a 201 */
export function post({ port, agent }, path, key, body) {
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Idempotency-Key': key,
  }
  return new Promise((resolve, reject) => {
    const sent = request({ port, agent, method: 'POST', path, headers }, (answer) => {
      answer.resume().on('end', () => {
        if (answer.statusCode === 201) resolve()
        else reject(new Error(`was answered with ${answer.statusCode}`))
      })
    })
    sent.on('error', reject).end(body)
  })
}
