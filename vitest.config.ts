import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: ['packages/*', 'adapters/*', 'conformance', 'examples/*'],
    retry: 0,
  },
})
