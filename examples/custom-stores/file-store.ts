/**
 * Records in a directory of files, for all processes of one machine. Each key is a directory, each revision of its entry
 * a file in it, named by its number. `link` makes the next number for exactly one writer, and no number is used twice:
 * the file before it is not removed but replaced by an empty one, with `rename`.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CasStorage, createCasStore, type RecordStore } from '@retryproof/core/store'

export interface FileStoreOptions {
  /** A directory of its own, on a local file system. */
  readonly directory: string
  /** Replaces the clock of this machine (ms). */
  readonly now?: () => number
}

export function fileStore({ directory, now }: FileStoreOptions): RecordStore {
  const folderOf = (key: string) => join(directory, encodeKey(key))

  const storage: CasStorage<number> = {
    async read(key) {
      for (let tries = 0; tries < 100; tries++) {
        const numbers = (await list(folderOf(key))).map(Number).filter(Number.isInteger)
        if (numbers.length === 0) return null
        const revision = Math.max(...numbers)
        const value = await readFile(join(folderOf(key), String(revision)))
        if (value.length > 0) return { value, revision }
        // it was superseded after it was listed
      }
      throw new Error(`The newest file of '${key}' is empty`)
    },

    async swap(key, value, revision) {
      const folder = folderOf(key)
      const draft = join(folder, `${randomUUID()}.draft`)
      const next = join(folder, String((revision ?? 0) + 1))
      if (await mkdir(folder, { recursive: true })) await sync(directory)
      await writeFile(draft, value, { flush: true })
      const overtaken = await link(draft, next).catch(unless('EEXIST', true))
      await rm(draft)
      if (overtaken) return false
      await sync(folder)
      if (revision === null) return true
      await writeFile(draft, '')
      await rename(draft, join(folder, String(revision)))
      return true
    },

    async *entries() {
      for (const key of (await list(directory)).map(decodeKey)) {
        const entry = await storage.read(key)
        if (entry) yield { key, ...entry }
      }
    },
    capabilities: { clock: 'host', durable: true, shared: 'host', maxValueBytes: 16 * 2 ** 20 },
    ...(now && { now }),
  }
  return createCasStore(storage)
}

const list = (folder: string): Promise<string[]> => readdir(folder).catch(unless('ENOENT', []))

const unless =
  <T>(code: string, value: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === code) return value
    throw error
  }

/** Until then a new name in a directory may be lost when the machine loses power. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder)
  await handle.sync().finally(() => handle.close())
}

/** A name that no file system folds or refuses. All keys that the core makes stay as they are. */
const encodeKey = (key: string) => (/^[a-z0-9_-][a-z0-9._-]*$/.test(key) ? key : `=${Buffer.from(key).toString('hex')}`)
const decodeKey = (name: string) => (name.startsWith('=') ? Buffer.from(name.slice(1), 'hex').toString() : name)
