// A command is run and never imported: one ES module, for Node alone.
import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: ['src/bin.ts'],
  format: 'esm',
  platform: 'node',
  target: 'node20',
  dts: false,
  sourcemap: false,
  fixedExtension: false,
  publint: { strict: true, level: 'warning' },
})
