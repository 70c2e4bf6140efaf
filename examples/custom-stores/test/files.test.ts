import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeStore } from '@retryproof/conformance/vitest'
import { afterAll } from 'vitest'
import { fileStore } from '../file-store.ts'

const directory = mkdtempSync(join(tmpdir(), 'retryproof-files-'))
afterAll(() => rmSync(directory, { recursive: true }))

describeStore('a directory of files', { open: ({ now }) => fileStore({ directory, ...(now && { now }) }) })
