// Type-checks every TypeScript snippet of the READMEs, of docs/ and of the JSDoc in the sources, as a module of its own.
// ```ts continues: the snippet goes on where the one before it ended. ```ts file=…: a test of examples/custom-stores runs it.
// A block in another language that programs are written in is refused, so that none goes unchecked.
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

/** The places of blocks that no check knows, and the number of those that a test runs. */
const unknown = []
let run = 0

const snippets = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '*.md', '*/src/*.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .stdout.split('\n')
  .filter((file) => file && !file.startsWith('.changeset/') && !/CHANGELOG|\.api\.md$/.test(file))
  .flatMap(snippetsOf)
for (const { name, text } of snippets) writeFileSync(join(folder, name), text)
const [inTexts, inSources] = [
  snippets.filter(({ inText }) => inText).length,
  snippets.filter(({ inText }) => !inText).length,
]

const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', 'docs'], {
  cwd: root,
  encoding: 'utf8',
})
process.stdout.write(tsc.stdout)
for (const place of unknown) console.error(`${place}: is checked by nobody.`)
const isInOrder = tsc.status === 0 && unknown.length === 0
console.log(
  `Snippets: ${inTexts} programs of Markdown and ${inSources} of JSDoc type-checked, ${run} of Markdown run by examples/custom-stores, ` +
    `${isInOrder ? 'in order' : 'NOT in order'}.`,
)
process.exitCode = isInOrder ? 0 : 1

function snippetsOf(file) {
  const source = readFileSync(join(root, file), 'utf8')
  const text = file.endsWith('.ts') ? source.replace(/^ *\* ?/gm, '') : source
  const found = [...text.matchAll(/^```(?!(?:sh|console|json|sql|yaml)?\n)(.*)\n([\s\S]*?)^```$/gm)]
  let before = ''
  const snippet = (code, name) => ({
    inText: !file.endsWith('.ts'),
    name: `${file.replace(/[/.]/g, '-')}-${name}.ts`,
    text: `// ${file}\n${code}export {}\n`,
  })
  const fenced = found.flatMap(([, mark, code], index) => {
    if (mark.startsWith('ts file=')) run++
    else if (mark !== 'ts' && mark !== 'ts continues') unknown.push(`${file}: \`\`\`${mark}`)
    else {
      before = mark === 'ts continues' ? before + code : code
      return [snippet(before, index + 1)]
    }
    return []
  })
  if (!file.endsWith('.ts')) return fenced
  const examples = [...text.matchAll(example)].filter(([, code]) => !code.startsWith('```'))
  return [...fenced, ...examples.map(([, code], index) => snippet(code, `example-${index + 1}`))]
}
