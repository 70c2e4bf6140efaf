/** A run: one process starts servers when a test file asks for them, over a socket, and stops them when the command ends. */
import { spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { makeFolder } from './nodes.mjs'

/** The variable that tells test files where the run listens. */
export const SOCKET = 'RETRYPROOF_SERVICES'

/** Asks the run: `{ want: 'service', name, options }`, `{ want: 'note', found }`, `{ want: 'table' }`. */
export function askRun(question) {
  return new Promise((resolve, reject) => {
    const socket = connect(process.env[SOCKET])
    socket.once('error', (error) => reject(new Error(`The run that holds the servers is gone: ${error.message}`)))
    socket.once('close', () => reject(new Error('The run that holds the servers ended.')))
    createInterface(socket).once('line', (line) => {
      socket.destroy()
      const { failed, answer } = JSON.parse(line)
      if (failed) reject(new Error(failed))
      else resolve(question.want === 'service' ? { ...answer, missing: answer.missing, stop: async () => {} } : answer)
    })
    socket.write(`${JSON.stringify(question)}\n`)
  })
}

/** Runs the command, and gives its exit code. `start(name, options)` starts a server or says why not. */
export async function run([program, ...args], start) {
  const folder = await makeFolder()
  const path = join(folder.path, 'socket')
  const started = new Map()
  const noted = new Map()

  /** The services that are there, and those that failed to start. */
  const rows = async () => {
    const failure = (key) => (error) => ({
      name: JSON.parse(key)[0],
      missing: `did not start: ${error.message.split('\n')[0]}`,
    })
    const found = [...started].map(([key, promise]) => promise.catch(failure(key)))
    return [...(await Promise.all(found)), ...noted.values()]
  }
  const answer = async ({ want, name, options, found }) => {
    if (want === 'table') return table(await rows())
    if (want === 'note') return void noted.set(found.url, found)
    const key = JSON.stringify([name, options])
    if (!started.has(key)) started.set(key, start(name, options))
    return started.get(key)
  }
  const server = createServer((socket) => {
    socket.on('error', () => {})
    createInterface(socket).on('line', async (line) => {
      const reply = await answer(JSON.parse(line)).then(
        (value) => ({ answer: value }),
        (error) => ({ failed: error.message }),
      )
      socket.write(`${JSON.stringify(reply)}\n`)
    })
  })
  await new Promise((resolve) => server.listen(path, resolve))

  // Ctrl-C reaches the command too: it ends first, and the servers after it
  const patient = () => {}
  process.on('SIGINT', patient)
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, [SOCKET]: path } })
  const terminate = () => child.kill('SIGTERM')
  process.on('SIGTERM', terminate)
  const code = await new Promise((resolve) => {
    child.once('error', (error) => {
      process.stderr.write(`services: ${program}: ${error.message}\n`)
      resolve(127)
    })
    child.once('exit', (status, signal) => resolve(status ?? (signal === 'SIGINT' ? 130 : 1)))
  })

  server.close()
  const all = await rows()
  await Promise.all(all.map((service) => service.stop?.()))
  if (all.length > 0) process.stdout.write(`\n${table(all)}\n`)
  await folder.drop()
  process.off('SIGINT', patient)
  process.off('SIGTERM', terminate)
  return code
}

/** Lists the services with their versions, and those that were not tested. */
export function table(rows) {
  const lines = rows.map(({ name, version, source, missing }) =>
    missing ? [name, 'not tested', missing] : [name, version, source],
  )
  const unique = [...new Map(lines.map((line) => [line.join('\0'), line])).values()].sort(([a], [b]) =>
    a.localeCompare(b),
  )
  const widths = [0, 1].map((i) => Math.max(...unique.map((line) => line[i].length), 7))
  return [['server', 'version', 'from'], ...unique]
    .map(([a, b, c]) => `${a.padEnd(widths[0])}  ${b.padEnd(widths[1])}  ${c}`)
    .join('\n')
}
