import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeStore } from '@retryproof/conformance/vitest'
import { afterAll } from 'vitest'
import { fileStore } from '../file-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'retryproof-files-'))
afterAll(() => rmSync(folder, { recursive: true }))

describeStore('a directory of files', {
  open: ({ now }) => fileStore({ directory: join(folder, 'records'), ...(now && { now }) }),
  unreachable() {
    const file = join(folder, 'a-file')
    writeFileSync(file, '')
    return fileStore({ directory: join(file, 'records') })
  },
})
