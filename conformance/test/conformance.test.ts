import { afterAll } from 'vitest'
import { describeStore } from '../src/vitest.ts'
import { committingServer } from './committing-server.ts'
import { referenceServer, remoteStore } from './reference-server.ts'
import { referenceStore } from './reference-store.ts'
import { newDatabase, transactionalStore } from './transactional-store.ts'

describeStore('reference', { open: referenceStore })

const database = newDatabase()
describeStore('reference with transactions', { open: (options) => transactionalStore(options, database) })

const server = await referenceServer()
const committing = await committingServer()
afterAll(() => {
  server.close()
  committing.close()
})

describeStore('reference behind TCP', {
  open: (options) => remoteStore(server, options),
  unreachable: () => remoteStore({ host: '127.0.0.1', port: 1 }),
  server: { ...server, open: (address) => remoteStore(address) },
})

describeStore('reference whose commits go through TCP', committing.harness())
