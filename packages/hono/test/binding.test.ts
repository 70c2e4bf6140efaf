/** The suite that every binding passes, on Node. */
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { describeFleet } from '../../../conformance/test/describe-fleet.ts'
import { describeOnStores } from '../../../conformance/test/describe-on-stores.ts'
import { describeOverHttp2 } from '../../../conformance/test/describe-over-http2.ts'
import { lacks } from './lacks.ts'
import { serve } from './serve.ts'

const manifest = new URL('../node_modules/@hono/node-server/package.json', import.meta.url)
const { version }: { version: string } = JSON.parse(readFileSync(manifest, 'utf8'))

await describeOnStores('Hono', { lacks, authenticates: true, start: (store) => serve(store) })
if (version.startsWith('1.')) test.skip(`over HTTP/2: node-server ${version} tells no handler that its client left`)
else describeOverHttp2('Hono', { lacks, authenticates: true, start: serve })
await describeFleet('Hono', new URL('serve.ts', import.meta.url))
