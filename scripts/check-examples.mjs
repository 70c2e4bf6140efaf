// Checks that each public function, and each public class that is no error, has an `@example` (check-snippets.mjs compiles it), and
// that an editor shows a sentence for each option, and for each member of what these functions give.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const entries = ['packages', 'adapters'].flatMap((folder) =>
  readdirSync(join(root, folder)).flatMap((name) => entriesOf(join(root, folder, name))),
)
const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile)
const program = ts.createProgram(entries, ts.parseJsonConfigFileContent(config, ts.sys, root).options)
const checker = program.getTypeChecker()

const all = [...new Set(entries.flatMap(exportsOf))]
const callables = all.filter(isCallable)
const bare = callables.filter((symbol) => !symbol.getJsDocTags(checker).some(({ name }) => name === 'example'))
for (const symbol of bare) {
  console.error(`${relative(root, symbol.declarations[0].getSourceFile().fileName)}: ${symbol.name} has no @example.`)
}
console.log(`Examples: ${callables.length} public functions and classes, ${bare.length} without one.`)

const members = all.filter(isForUsers).flatMap(membersOf)
const silent = members.filter(({ member }) => member.getDocumentationComment(checker).length === 0)
for (const { symbol, member } of silent) {
  const [declaration] = member.declarations
  console.error(
    `${relative(root, declaration.getSourceFile().fileName)}: ${symbol.name}.${member.name} has no sentence.`,
  )
}
console.log(`Sentences: ${members.length} options and members, ${silent.length} without one.`)
process.exitCode = bare.length + silent.length > 0 ? 1 : 0

/** The source of each entry of a package but `./internal`. */
function entriesOf(folder) {
  const { exports = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return Object.entries(exports)
    .filter(([entry, source]) => entry !== './internal' && source.endsWith('.ts'))
    .map(([, source]) => join(folder, source))
}

function exportsOf(entry) {
  return checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)))
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
}

/** Tells whether users write or call the members of a type; the shape of a driver's client, for instance, is of no interest. */
function isForUsers({ name }) {
  return /Options$|^Policies$|^Call$|^Idempotency$|^Operation$|^Attempt$|^HandlerAttempt$|^IdempotentFetch$/.test(name)
}

/** The members that are declared in this repository, inherited ones included. */
function membersOf(symbol) {
  return checker
    .getDeclaredTypeOfSymbol(symbol)
    .getProperties()
    .filter(({ declarations }) => declarations?.some((each) => !each.getSourceFile().fileName.includes('node_modules')))
    .map((member) => ({ symbol, member }))
}

function isCallable(symbol) {
  if (!(symbol.flags & ts.SymbolFlags.Value)) return false
  const type = checker.getTypeOfSymbol(symbol)
  const made = type.getConstructSignatures()[0]?.getReturnType()
  return made ? !made.getProperty('stack') : type.getCallSignatures().length > 0
}
