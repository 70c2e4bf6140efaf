/** The files of docs/writing-a-store.md, as they stand there. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../../../docs/writing-a-store.md', import.meta.url), 'utf8')
const files = [...page.matchAll(/^```ts file=(\S+)\n(.*?)^```$/gms)].map(([, name, text]) => ({ name, text }))
const folder = new URL('../.cache/docs/', import.meta.url)
mkdirSync(folder, { recursive: true })
// under a name by which Vitest does not find it a second time
const nameOf = (name: string | undefined) => `${name}`.replace('.test.', '.suite.')
for (const { name, text } of files) writeFileSync(new URL(nameOf(name), folder), `${text}`)

test('the page has a store and its test', () => {
  expect(files.map(({ name }) => name)).toEqual(['my-store.ts', 'my-store.test.ts'])
})

await import(new URL(nameOf('my-store.test.ts'), folder).href)
