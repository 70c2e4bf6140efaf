// Bindings → http → core ← adapters: checks that each package imports only what its place in the house allows, and
// only what its manifest declares; and that inside of the core all imports go down. `--rooms` prints all folders.
import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The packages of ours that the sources of a package may import; the first pattern that fits its folder decides. */
const allowed = [
  [/^packages\/core$/, []],
  [/^packages\/(http|messaging|opentelemetry)$/, ['core']],
  [/^packages\/client$/, []],
  [/^packages\/cli$/, ['core', 'http']],
  [/^packages\//, ['core', 'http']],
  [/^adapters\//, ['core']],
  [/^conformance$/, ['core', 'http', 'messaging']],
]

/** Sources that no package holds: they may import what their manifest names for development. */
const unpublished = /^conformance\/src\/(http|messaging|test-tools)\b/

/** The floors of the core, from top to bottom: a file imports from its own floor and from those below it. */
const floors = [
  ['index.ts', 'store.ts', 'internal.ts'],
  ['engine/create-idempotency.ts'],
  ['engine/operators/'],
  ['engine/transaction/'],
  ['engine/call/'],
  ['engine/steps/'],
  ['engine/context/'],
  ['engine/mechanisms/'],
  ['encoding/', 'keys/'],
  ['api/'],
  ['store/'],
  ['base/'],
  ['errors.ts'],
]

const problems = [...folders().flatMap(check), ...checkFloors('packages/core/src')]
for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exit(1)
if (process.argv.includes('--rooms')) for (const folder of folders()) printRooms(join(root, folder, 'src'))
console.log(`Dependency direction: in order. Core: ${floors.length} floors, 0 arrows up.`)

function folders() {
  const inside = (parent) => readdirSync(join(root, parent)).map((name) => `${parent}/${name}`)
  return [...inside('packages'), ...inside('adapters'), 'conformance'].filter((folder) => manifestOf(folder))
}

function manifestOf(folder) {
  try {
    return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  } catch {
    return undefined
  }
}

function check(folder) {
  const { dependencies = {}, peerDependencies = {}, devDependencies = {}, name } = manifestOf(folder)
  const [, ours] = allowed.find(([pattern]) => pattern.test(folder))
  const declared = Object.keys({ ...dependencies, ...peerDependencies })
  const wrong = declared
    .filter((dependency) => isOurs(dependency) && !ours.includes(basename(dependency)))
    .map((dependency) => `${folder}/package.json: ${name} must not depend on ${dependency}`)
  if (folder === 'packages/core' && declared.length > 0) wrong.push(`${folder}: the core has no dependency`)
  const importable = (file) =>
    unpublished.test(relative(root, file)) ? [...declared, ...Object.keys(devDependencies)] : declared
  return [
    ...wrong,
    ...sources(join(root, folder, 'src')).flatMap((file) => checkImports(folder, file, importable(file), ours)),
  ]
}

function checkImports(folder, file, declared, ours) {
  return importsOf(file).flatMap((specifier) => {
    const where = `${file.slice(root.length + 1)}: imports '${specifier}'`
    if (specifier.startsWith('.'))
      return escapes(file, specifier, folder) ? [`${where}, which is outside its package`] : []
    const dependency = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/')
    if (specifier.startsWith('node:') || builtinModules.includes(dependency)) {
      return folder === 'packages/core' ? [`${where}, which not every runtime has`] : []
    }
    if (isOurs(dependency) && !ours.includes(basename(dependency))) return [`${where}, which is against the direction`]
    return declared.includes(dependency) ? [] : [`${where}, which its manifest does not declare`]
  })
}

function checkFloors(folder) {
  const source = join(root, folder)
  return sources(source).flatMap((file) =>
    importsOf(file)
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => [floorOf(relative(source, file)), floorOf(relative(source, join(dirname(file), specifier)))])
      .flatMap(([from, to]) => (from > to ? [`${file.slice(root.length + 1)}: imports from a floor above it`] : [])),
  )
}

function floorOf(path) {
  const floor = floors.findIndex((rooms) => rooms.some((room) => path.startsWith(room)))
  if (floor < 0) throw new Error(`packages/core/src/${path} is on no floor: add its room to the floors of the core.`)
  return floor
}

/** Prints each folder with the number of its doors: the files and folders in it. */
function printRooms(folder) {
  const doors = readdirSync(folder, { withFileTypes: true })
  console.log(`${String(doors.length).padStart(3)} ${folder.slice(root.length + 1)}`)
  for (const entry of doors) if (entry.isDirectory()) printRooms(join(folder, entry.name))
}

function importsOf(file) {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map(([, specifier]) => specifier)
}

function escapes(file, specifier, folder) {
  return !join(dirname(file), specifier).startsWith(join(root, folder, 'src'))
}

function isOurs(dependency) {
  return dependency.startsWith('@retryproof/')
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? sources(path) : /\.tsx?$/.test(path) ? [path] : []
  })
}
