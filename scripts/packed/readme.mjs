// Reads the quick start of a README, starts it as a process, and sends it the curl that the README shows.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** The fenced blocks of a text. */
export function blocksOf(file) {
  const blocks = readFileSync(file, 'utf8').matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)
  return [...blocks].map(([, kind, code]) => ({ kind, code }))
}

/** The first program of a text that has this store and serves, the curl that follows it, and the answer that the text shows. */
export function quickStartOf(file, store) {
  const blocks = blocksOf(file)
  const isServer = ({ kind, code }) =>
    kind === 'ts' && code.includes(`${store}(`) && /listen\(|port: |POST = /.test(code)
  const rest = blocks.slice(blocks.findIndex(isServer))
  return {
    program: rest[0].code,
    command: rest.find(({ kind, code }) => kind === 'sh' && code.startsWith('curl')).code.trim(),
    shown: rest.find(({ kind, code }) => kind === '' && code.startsWith('HTTP/1.1'))?.code ?? '',
  }
}

/** Runs `work` while a program serves on `port`. */
export async function whileServing({ program, args, cwd, env = process.env, port }, work) {
  // a group of its own, so that what the program has started ends with it
  const app = spawn(program, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
  const ended = once(app, 'exit')
  try {
    await listening(app, port)
    return await work()
  } finally {
    if (app.exitCode === null) process.kill(-app.pid)
    await ended
  }
}

/** Sends the command twice. The second answer must be a replay of the first, with every line that the text shows. */
export function sendTwice({ command, shown }, port) {
  const curl = command.replace('curl', 'curl -s').replace('localhost:3000', `127.0.0.1:${port}`)
  const send = () => execFileSync('sh', ['-c', curl], { encoding: 'utf8' })
  const [first, second] = [send(), send()]
  if (!/^HTTP\/1.1 2\d\d/.test(first) || isReplay(first)) throw new Error(`the first answer is no success: ${first}`)
  if (!isReplay(second) || bodyOf(second) !== bodyOf(first))
    throw new Error(`the second answer is no replay: ${second}`)
  const lines = second.toLowerCase().split(/\r?\n/)
  const wanted = shown.toLowerCase().split('\n')
  const lacking = wanted.filter((line) => line && !lines.includes(line))
  if (lacking.length > 0) throw new Error(`the answer lacks ${JSON.stringify(lacking)}: ${second}`)
}

export async function freePort() {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

function isReplay(answer) {
  return /^idempotency-replayed: true\r?$/im.test(answer)
}

function bodyOf(answer) {
  return answer.slice(answer.indexOf('\r\n\r\n'))
}

async function listening(app, port) {
  for (let tries = 0; tries < 1200; tries++) {
    if (app.exitCode !== null) throw new Error('the program ended')
    if (await fetch(`http://127.0.0.1:${port}`).catch(() => null)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the program does not listen')
}
