import { defineConfig } from 'vitest/config'

// every commit waits for the disk, and a disk can be slow
export default defineConfig({ test: { testTimeout: 60_000, hookTimeout: 60_000 } })
