// Holds docs/http-options.md against the types: a table of all options of a binding, and of an instance.
// `--write` writes it; without it, a page that says something else fails.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const page = join(root, 'docs/http-options.md')

const own = optionsOf('packages/http/src/guard/options/options.ts', 'HttpOptions')
const spelling = optionsOf('packages/http/src/guard/answer/spelling.ts', 'SpellingOptions')
const policies = optionsOf('packages/core/src/api/policies.ts', 'Policies')
const instance = optionsOf('packages/core/src/api/idempotency.ts', 'IdempotencyOptions')
const isNew = ({ name }) => !own.some((option) => option.name === name) && name !== 'serializer'

const text = `# All options

Written by \`node scripts/options-tables.mjs --write\` from the types, whose text your editor shows too. A mistyped name is refused with
the name that was probably meant, and with this list.

## Of a guard: \`idempotent(idempotency, options)\`

${tableOf(own)}

## Spelling of answers

${tableOf(spelling)}

## Policies: of a guard, an operation, a call, or the whole instance

The nearest one wins: call, guard, operation, instance.

${tableOf(policies.filter(isNew))}

## Of an instance: \`createIdempotency(options)\`

Besides the policies:

${tableOf(instance)}
`

const isSame = readFileSync(page, { encoding: 'utf8', flag: 'a+' }) === text
if (process.argv.includes('--write')) writeFileSync(page, text)
else if (!isSame) {
  console.error('docs/http-options.md is not what the types say: run `node scripts/options-tables.mjs --write`.')
  process.exitCode = 1
}
const count = own.length + spelling.length + policies.filter(isNew).length + instance.length
console.log(`Tables of options: ${count} options, ${isSame ? 'in order' : 'changed'}.`)

/** The members of an interface, with their types and comments as they are written. */
function optionsOf(file, name) {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
  const declaration = source.statements.find((each) => ts.isInterfaceDeclaration(each) && each.name.text === name)
  return declaration.members.filter(ts.isPropertySignature).map((member) => ({
    name: member.name.getText(source),
    isRequired: !member.questionToken,
    type: oneLine(member.type.getText(source)),
    fallback: tagOf(member, 'default'),
    meaning: oneLine(ts.getTextOfJSDocComment(ts.getJSDocCommentsAndTags(member)[0]?.comment) ?? ''),
  }))
}

function tagOf(member, name) {
  const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === name)
  return tag && oneLine(ts.getTextOfJSDocComment(tag.comment) ?? '')
}

function oneLine(text) {
  return text.replace(/\s+/g, ' ').trim()
}

function tableOf(options) {
  const rows = options.map(({ name, isRequired, type, fallback, meaning }) => {
    const shown = isRequired ? '**required**' : (fallback ?? '')
    return `| \`${name}\` | ${cell(`\`${type}\``)} | ${cell(shown)} | ${cell(meaning)} |`
  })
  return ['| option | type | default | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

function cell(text) {
  return text.replaceAll('|', '\\|')
}
