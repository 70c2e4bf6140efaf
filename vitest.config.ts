import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// Vitest finds this file from inside a package too, and there it is the package alone that is run
const everything = process.cwd() === import.meta.dirname
const folders = ['packages', 'adapters', 'examples'].flatMap((parent) =>
  readdirSync(join(import.meta.dirname, parent)).map((name) => `${parent}/${name}`),
)

export default defineConfig({
  test: {
    // two files at a time, also on two cores: the tests wait for servers half of the time
    ...(everything && {
      projects: [...folders, 'conformance'].map((root) => ({ extends: true as const, root, test: { name: root } })),
      maxWorkers: 2,
    }),
    retry: 0,
    // these end a test that hangs, and let a slow machine be slow
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
