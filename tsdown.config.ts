// One build for every package: each `exports` entry of the package in which it runs becomes one file in dist.
import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsdown'

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, string> }

export default defineConfig({
  cwd: process.cwd(),
  entry: Object.values(manifest.exports).filter((file) => file.endsWith('.ts')),
  format: ['esm', 'cjs'],
  platform: 'neutral',
  deps: { neverBundle: [/^node:/] },
  target: 'es2023',
  dts: true,
  sourcemap: false,
  fixedExtension: false,
  publint: { strict: true, level: 'warning' },
  attw: { profile: 'strict', level: 'error' },
})
