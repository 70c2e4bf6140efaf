/** One of several processes on one directory: begins and completes each key, and says which of them it acquired. */
import { setTimeout as pause } from 'node:timers/promises'
import { fileStore } from '../file-store.ts'

const [directory = '', name = '', count = '0'] = process.argv.slice(2)
const store = fileStore({ directory })
const retentionMs = 3_600_000
const result = new TextEncoder().encode(name)

for (let i = 0; i < Number(count); i++) {
  const key = `files.worker.${i}`
  for (;;) {
    const reply = await store.begin(key, { owner: `${name} ${i}`, fingerprint: 'f', leaseMs: 300, retentionMs })
    if (reply.outcome === 'acquired') {
      process.stdout.write(`acquired ${i} ${reply.token}\n`)
      const { outcome } = await store.transition(key, reply.token, { to: 'completed', result, retentionMs })
      if (outcome === 'ok') process.stdout.write(`completed ${i} ${reply.token}\n`)
    }
    if (reply.outcome === 'settled') {
      process.stdout.write(`settled ${i} ${reply.token} ${new TextDecoder().decode(reply.result ?? undefined)}\n`)
      break
    }
    if (reply.outcome === 'in_progress') await pause(10)
  }
}
