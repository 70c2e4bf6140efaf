/** A process of the differential suite: serves an application, and answers what became of its keys. */
import { createIdempotency } from '@retryproof/core'
import { writesOf } from '../src/http/app/business-writes.ts'
import type { Application, Bench, Recorded } from '../src/http/differential/application.ts'
import type { Question, Reply } from '../src/http/differential/application-process.ts'
import { type Transaction, transactionalStore } from './transactional-store.ts'

const { APPLICATION = '', APPLICATION_NAME = '' } = process.env
const { applications } = (await import(APPLICATION)) as { applications: readonly Application[] }
const application = applications.find(({ name }) => name === APPLICATION_NAME)
if (!application) throw new Error(`${APPLICATION} has no ${APPLICATION_NAME}`)

const store = transactionalStore()
const idempotency = createIdempotency<Transaction>({ store, namespace: 'differential' })
const writes = writesOf(store as never)

let number = 0
let runs = 0
let underWay = 0
/** Of the case that runs now: an earlier one may still be at work. */
let storageKey: string | undefined
let onEnd = () => {}
let onRun = () => {}

idempotency.on('started', ({ key }) => {
  storageKey ??= key
  if (key === storageKey) underWay++
})
for (const name of ['completed', 'failed', 'released', 'parked', 'unrecorded'] as const) {
  idempotency.on(name, ({ key }) => {
    if (key !== storageKey) return
    underWay--
    onEnd()
  })
}

const bench: Bench = {
  idempotency: idempotency as never,
  ran() {
    runs++
    onRun()
  },
  write: (tx) => writes(tx).write(String(number)),
}

async function recorded(): Promise<Recorded> {
  const view = storageKey === undefined ? null : await store.get(storageKey)
  return { state: view?.state ?? null, runs, isWritten: await writes(undefined).isWritten(String(number)) }
}

async function replyTo(asks: Question['asks']): Promise<unknown> {
  if (asks === 'begin') {
    number++
    runs = 0
    underWay = 0
    storageKey = undefined
    return true
  }
  if (asks === 'run' && runs === 0) {
    await new Promise<void>((resolve) => {
      onRun = resolve
    })
  }
  if (asks === 'end' && underWay > 0) {
    await new Promise<void>((resolve) => {
      onEnd = () => underWay <= 0 && resolve()
    })
  }
  return recorded()
}

process.on('message', ({ id, asks }: Question) => {
  void replyTo(asks).then((reply) => process.send?.({ id, reply } satisfies Reply))
})
const ports: Record<string, number> = {}
for (const form of application.forms) ports[form] = await application.serve(form, bench)
process.send?.({ id: 0, reply: ports } satisfies Reply)
