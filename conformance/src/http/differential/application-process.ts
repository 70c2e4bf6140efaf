/** An application in a process of its own, which a fault of it ends. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { within } from '../../store/tools/within.ts'
import type { Form, Recorded } from './application.ts'

/** Ample for a process to load a framework, or to reply, on any machine. */
const PATIENCE_MS = 60_000

export interface ApplicationProcess {
  /** A port for each form. */
  readonly ports: Readonly<Partial<Record<Form, number>>>
  /** Forgets what the case before left. */
  beginCase(): Promise<void>
  /** Resolves when the handler has run in this case. */
  hasRun(): Promise<void>
  /** Resolves when the attempt of this case has ended, or at once where nobody waits for its end. */
  recorded(waits: boolean): Promise<Recorded>
  /** The end of the process: its code and the end of what it wrote; undefined while it runs. */
  ended(): string | undefined
  stop(): Promise<void>
}

export interface Question {
  readonly id: number
  readonly asks: 'begin' | 'run' | 'end' | 'now'
}

export interface Reply {
  readonly id: number
  readonly reply: unknown
}

/**
 * @param program takes `APPLICATION` (the address of a module) and `APPLICATION_NAME`, sends its ports, and answers
 * questions
 */
export async function startApplication(program: URL, module: URL, name: string): Promise<ApplicationProcess> {
  const child = fork(program, {
    env: { ...process.env, NODE_ENV: 'production', APPLICATION: module.href, APPLICATION_NAME: name },
    execArgv: ['--import=tsx', '--unhandled-rejections=strict'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let written = ''
  child.stderr?.on('data', (data: Buffer) => {
    written = (written + data.toString()).slice(-2_000)
  })
  let end: string | undefined
  const exit = once(child, 'exit').then(([code, signal]) => {
    end = `the process ended (${code ?? signal}): ${written}`
  })
  const ports = await within(`the start of ${name}`, replyOf(child, exit, 0), PATIENCE_MS)
  if (ports === undefined) throw new Error(`${name} does not start; ${end}`)
  let asked = 0

  async function ask(asks: Question['asks']): Promise<unknown> {
    if (end !== undefined) return undefined
    const id = ++asked
    const reply = replyOf(child, exit, id)
    child.send({ id, asks } satisfies Question, () => {})
    return within(`the ${asks} of a case`, reply, PATIENCE_MS)
  }

  return {
    ports: ports as ApplicationProcess['ports'],
    async beginCase() {
      await ask('begin')
    },
    async hasRun() {
      await ask('run')
    },
    async recorded(waits) {
      return ((await ask(waits ? 'end' : 'now')) ?? { state: null, runs: 0, isWritten: false }) as Recorded
    },
    ended: () => end,
    async stop() {
      if (end !== undefined) return
      child.kill('SIGKILL')
      await exit
    },
  }
}

/** The reply to a question, or undefined where the process ends before. */
async function replyOf(child: ChildProcess, exit: Promise<void>, id: number): Promise<unknown> {
  return new Promise((resolve) => {
    function onMessage(message: Reply): void {
      if (message.id !== id) return
      child.off('message', onMessage)
      resolve(message.reply)
    }
    child.on('message', onMessage)
    void exit.then(() => resolve(undefined))
  })
}
