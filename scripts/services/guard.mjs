/**
 * Holds the servers that one process started, as their parent, and stops them when that process ends in whatever way:
 * the channel to it then closes. It stands in a session of its own, so that Ctrl-C does not reach the servers first.
 *
 * Messages in: { id, do: 'start' | 'stop' | 'own' | 'drop', … }. Messages out: { id, … } as the answer, { exited: name, … }.
 */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'

const PATIENCE_MS = 8_000
const servers = new Map()
const folders = new Set()

const actions = {
  start: ({ name, command, env, cwd, uid, gid, log, stopSignal, afterwards }) =>
    new Promise((resolve) => {
      const out = openSync(log, 'a')
      const [program, ...args] = command
      const child = spawn(program, args, {
        cwd,
        env: { ...process.env, ...env },
        uid,
        gid,
        stdio: ['ignore', out, out],
      })
      closeSync(out)
      const exited = new Promise((done) => {
        const end = (code, signal) => {
          servers.delete(name)
          if (afterwards) spawnSync(afterwards[0], afterwards.slice(1), { stdio: 'ignore' })
          send({ exited: name, code, signal })
          done()
        }
        child.once('exit', end)
        child.once('error', (error) => {
          if (child.pid === undefined) end(error.message, null)
        })
      })
      servers.set(name, { child, exited, stopSignal })
      resolve({ pid: child.pid })
    }),

  async stop({ name, signal }) {
    const server = servers.get(name)
    if (!server) return
    server.child.kill(signal ?? server.stopSignal)
    const late = setTimeout(() => server.child.kill('SIGKILL'), PATIENCE_MS)
    await server.exited
    clearTimeout(late)
  },

  own: ({ folder }) => void folders.add(folder),

  drop({ folder }) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    folders.delete(folder)
  },
}

function send(message) {
  if (process.connected) process.send(message)
}

let ending = false
async function end() {
  if (ending) return
  ending = true
  await Promise.all([...servers.keys()].map((name) => actions.stop({ name })))
  for (const folder of folders) actions.drop({ folder })
  process.exit()
}

process.on('message', async ({ id, do: action, ...rest }) => {
  try {
    send({ id, ...(await actions[action](rest)) })
  } catch (error) {
    send({ id, failed: error.message })
  }
})
process.on('disconnect', end)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end)
