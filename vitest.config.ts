import { defineConfig } from 'vitest/config'

// Vitest finds this file from inside a package too, and there it is the package alone that is run
const everything = process.cwd() === import.meta.dirname

export default defineConfig({
  test: {
    ...(everything && { projects: ['packages/*', 'adapters/*', 'conformance', 'examples/*'] }),
    retry: 0,
  },
})
