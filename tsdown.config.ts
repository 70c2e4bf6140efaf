// One build for every package: each entry that the package in which it runs publishes becomes one file in dist.
import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsdown'

const { exports, publishConfig } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, string>
  publishConfig: { exports: Record<string, unknown> }
}

export default defineConfig({
  cwd: process.cwd(),
  entry: Object.entries(exports)
    .filter(([name, file]) => name in publishConfig.exports && file.endsWith('.ts'))
    .map(([, file]) => file),
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
