import { defineConfig } from 'vitest/config'

// Vitest finds this file from inside a package too, and there it is the package alone that is run
const everything = process.cwd() === import.meta.dirname

export default defineConfig({
  test: {
    // two files at a time, also on two cores: the tests wait for servers half of the time
    ...(everything && { projects: ['packages/*', 'adapters/*', 'conformance', 'examples/*'], maxWorkers: 2 }),
    retry: 0,
    // these end a test that hangs, and let a slow machine be slow; projects do not inherit them: scripts/test.mjs sets them too
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
