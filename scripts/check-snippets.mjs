// Type-checks every TypeScript snippet of the READMEs, of docs/ and of the JSDoc in the sources, as a module of its own.
// ```ts continues: the snippet goes on where the one before it ended. ```ts nocheck: it is no program, but a shape.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** An `@example` of a JSDoc comment, up to the next tag or the end of the comment. */
const example = /^ *@example\n([\s\S]*?)(?=^ *@(?:param|returns?|throws|default|see|example|deprecated)\b|^ *\/$)/gm

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'docs/snippets')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)

const snippets = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '*.md', '*/src/*.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .stdout.split('\n')
  .filter((file) => file && !file.startsWith('.changeset/') && !/CHANGELOG|\.api\.md$/.test(file))
  .flatMap(snippetsOf)
for (const { name, text } of snippets) writeFileSync(join(folder, name), text)

const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', 'docs'], {
  cwd: root,
  encoding: 'utf8',
})
process.stdout.write(tsc.stdout)
console.log(`Snippets: ${snippets.length} checked, ${tsc.status === 0 ? 'in order' : 'NOT in order'}.`)
process.exitCode = tsc.status

function snippetsOf(file) {
  const source = readFileSync(join(root, file), 'utf8')
  const text = file.endsWith('.ts') ? source.replace(/^ *\* ?/gm, '') : source
  const found = [...text.matchAll(/^```ts(?: (continues|nocheck))?\n([\s\S]*?)^```$/gm)]
  let before = ''
  const snippet = (code, name) => ({
    name: `${file.replace(/[/.]/g, '-')}-${name}.ts`,
    text: `// ${file}\n${code}export {}\n`,
  })
  const fenced = found.flatMap(([, mark, code], index) => {
    if (mark === 'nocheck') return []
    before = mark === 'continues' ? before + code : code
    return [snippet(before, index + 1)]
  })
  if (!file.endsWith('.ts')) return fenced
  const examples = [...text.matchAll(example)].filter(([, code]) => !code.startsWith('```'))
  return [...fenced, ...examples.map(([, code], index) => snippet(code, `example-${index + 1}`))]
}
