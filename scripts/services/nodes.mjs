/** Server processes: a free port, a folder, a start that waits for a real answer, and an end. */
import { fork } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const START_MS = 60_000
let guard

/** The guard of this process; it lives as long as this process, and does not keep it alive. */
function theGuard() {
  if (guard?.connected) return guard
  guard = fork(fileURLToPath(new URL('guard.mjs', import.meta.url)), [], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  })
  guard.unref()
  guard.channel.unref()
  guard.setMaxListeners(0)
  return guard
}

let lastId = 0
let open = 0

function tell(message) {
  const process = theGuard()
  const id = ++lastId
  return new Promise((resolve, reject) => {
    const settle = (act, value) => {
      process.off('message', answer)
      process.off('exit', gone)
      if (--open === 0) process.channel?.unref()
      act(value)
    }
    const answer = (reply) => {
      if (reply.id !== id) return
      if (reply.failed) settle(reject, new Error(reply.failed))
      else settle(resolve, reply)
    }
    const gone = () => settle(reject, new Error('The process that guards the test servers ended.'))
    process.on('message', answer)
    process.once('exit', gone)
    if (open++ === 0) process.channel.ref()
    process.send({ id, ...message })
  })
}

/** A port on loopback that is free now. Somebody may take it before the server does: the start then fails, and is tried on another. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/**
 * A folder of its own for a service, removed when the service or this process ends.
 * `root`: the private root in which the program runs; `inside` is the folder's path as the program sees it.
 */
export async function makeFolder({ root = '', user } = {}) {
  const parent = root ? join(root, 'srv') : tmpdir()
  mkdirSync(parent, { recursive: true })
  const path = mkdtempSync(join(parent, 'retryproof-'))
  await tell({ do: 'own', folder: path })
  if (user) chownSync(path, user.uid, user.gid)
  return { path, inside: path.slice(root.length), drop: () => tell({ do: 'drop', folder: path }) }
}

/** Calls `ask` until it answers without an error, or `timeoutMs` are over, or `given up` says why it never will. */
export async function until(ask, { timeoutMs = START_MS, gone = () => undefined } = {}) {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const why =
        gone() ?? (performance.now() > deadline ? `no answer in ${timeoutMs} ms: ${error.message}` : undefined)
      if (why) throw new Error(why, { cause: error })
      await delay(50)
    }
  }
}

/**
 * Starts one server process and waits until `ready` (called again and again) answers.
 *
 * @returns the node: kill it (`kill`, `stop`), freeze it (`signal('SIGSTOP')`), start it again on the same port and data.
 */
export async function startNode({
  role = 'primary',
  port,
  url,
  command,
  folder,
  env,
  user,
  ready,
  stopSignal = 'SIGKILL',
  afterwards,
}) {
  const name = `${role}-${port}`
  const log = join(folder.path, `${name}.log`)
  const node = { role, host: '127.0.0.1', port, url, pid: 0, version: '' }

  const launch = async () => {
    let exit
    const listen = (message) => {
      if (message.exited === name) exit = `${command[0]} ended (${message.code ?? message.signal})`
    }
    const process = theGuard()
    process.on('message', listen)
    try {
      const { pid } = await tell({
        do: 'start',
        name,
        command,
        env,
        cwd: folder.path,
        uid: user?.uid,
        gid: user?.gid,
        log,
        stopSignal,
        afterwards,
      })
      node.pid = pid ?? 0
      node.version = (await until(() => ready(node), { gone: () => exit })) ?? node.version
    } catch (error) {
      await tell({ do: 'stop', name })
      throw new Error(`${command.join(' ')}\ndid not start: ${error.message}\n${lastLines(log)}`, { cause: error })
    } finally {
      process.off('message', listen)
    }
    return node
  }
  // the processes of a PostgreSQL whose parent was killed need a moment to end, and keep the next one from starting
  node.start = async () => {
    const latest = Date.now() + 20_000
    for (;;) {
      try {
        return await launch()
      } catch (error) {
        if (!/shared memory block .* is still in use/.test(error.message) || Date.now() > latest) throw error
        await delay(100)
      }
    }
  }
  node.signal = (signal) => {
    globalThis.process.kill(node.pid, signal)
    if (signal === 'SIGSTOP') waitUntilStopped(node.pid)
  }
  node.kill = () => tell({ do: 'stop', name, signal: 'SIGKILL' }).then(() => undefined)
  node.stop = () => tell({ do: 'stop', name, signal: 'SIGTERM' }).then(() => undefined)
  return node.start()
}

/** The threads of a process stop one after the other, and answer until then. Linux tells the state of each. */
function waitUntilStopped(pid) {
  const threads = `/proc/${pid}/task`
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const isStopped = (thread) => / [Tt] /.test(readFileSync(`${threads}/${thread}/stat`, 'utf8').replace(/.*\)/s, ''))
  while (existsSync(threads) && !readdirSync(threads).every(isStopped)) Atomics.wait(pause, 0, 0, 1)
}

function lastLines(log) {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
}

/** Runs `start` again on other ports when one that was free was taken in between: three times at most. */
export async function onFreePorts(start) {
  for (let tries = 1; ; tries++) {
    try {
      return await start()
    } catch (error) {
      if (tries === 3 || !/in use/i.test(error.message)) throw error
    }
  }
}

/** Sends a line to a text protocol and gives what `pattern` finds in the answer. For servers that greet, no line. */
export function converse(port, line, pattern, host = '127.0.0.1') {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, timeout: 2_000 })
    let text = ''
    const fail = (error) => {
      socket.destroy()
      reject(error)
    }
    socket.setEncoding('latin1')
    socket.once('error', fail)
    socket.once('timeout', () => fail(new Error('silence')))
    socket.once('close', () => fail(new Error('closed')))
    socket.once('connect', () => line && socket.write(line))
    socket.on('data', (chunk) => {
      text += chunk
      const found = pattern.exec(text)
      if (!found) return
      socket.removeAllListeners('close')
      socket.destroy()
      resolve(found[1])
    })
  })
}
