import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeStore } from '@retryproof/conformance/vitest'
import Database from 'better-sqlite3'
import { afterAll, beforeAll } from 'vitest'
import { migrate, sqliteStore } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'retryproof-sqlite-'))
const file = join(folder, 'records.db')
beforeAll(async () => {
  const database = new Database(file)
  await migrate({ database })
  database.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

for (const batch of [true, false]) {
  describeStore(batch ? 'sqlite' : 'sqlite, one call a commit', {
    open: ({ now }) => sqliteStore({ database: new Database(file), batch, ...(now && { now }) }),
    unreachable() {
      const database = new Database(file)
      const store = sqliteStore({ database, batch })
      database.close()
      return store
    },
  })
}
