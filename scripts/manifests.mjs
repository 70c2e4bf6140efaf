// Holds the published entry points of each package against its `exports`: ESM and CommonJS, for old resolvers too.
// `--write` writes them; without it, a manifest that says something else fails. docs/decisions/0015 says why.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Entries that this repository alone imports: no package holds them. docs/decisions/0016 says why. */
const unpublished = { '@retryproof/conformance': /^\.\/(http|messaging|test-tools)\b/ }

/** The `exports` of a package without those that stay here. */
function publishedExports({ name, exports = {} }) {
  return Object.entries(exports).filter(([entry]) => !unpublished[name]?.test(entry))
}

/** Folders of the packages that are published. */
export function publishedFolders() {
  const inside = (parent) => readdirSync(join(root, parent)).map((name) => `${parent}/${name}`)
  return [...inside('packages'), ...inside('adapters'), 'conformance'].filter((folder) => manifestOf(folder))
}

/** The manifest of a published package; `undefined` for any other folder. */
export function manifestOf(folder) {
  try {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    return manifest.private ? undefined : manifest
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  }
}

/** The modules among the published entries of a package: `{ './http': 'http' }`, the name of its file in `dist` without extension. */
export function modulesOf(manifest) {
  const modules = publishedExports(manifest).filter(([, file]) => file.endsWith('.ts'))
  return Object.fromEntries(modules.map(([entry, file]) => [entry, file.slice('./src/'.length, -'.ts'.length)]))
}

/**
 * The entries that a package publishes instead of its sources. Node loads one copy for `import` and `require` alike (`module-sync`);
 * tools that cannot load ES modules by `require` get CommonJS. `typesVersions` serves the resolver `node10` of TypeScript.
 */
function publishConfigOf(manifest) {
  const { publishConfig } = manifest
  const modules = modulesOf(manifest)
  const entries = publishedExports(manifest).map(([entry, file]) => {
    const name = modules[entry]
    if (name === undefined) return [entry, publishConfig.exports?.[entry] ?? file]
    const esm = `./dist/${name}.js`
    return [entry, { import: esm, 'module-sync': esm, default: `./dist/${name}.cjs` }]
  })
  const below = Object.entries(modules).filter(([entry]) => entry !== '.')
  const main = modules['.'] && { main: `./dist/${modules['.']}.cjs`, types: `./dist/${modules['.']}.d.cts` }
  const typesVersions = Object.fromEntries(below.map(([entry, name]) => [entry.slice(2), [`./dist/${name}.d.cts`]]))
  return {
    access: publishConfig.access,
    ...main,
    ...(below.length > 0 && { typesVersions: { '*': typesVersions } }),
    exports: Object.fromEntries(entries),
  }
}

function checkAll(writes) {
  const changed = publishedFolders().filter((folder) => {
    const manifest = manifestOf(folder)
    if (!manifest.exports) return false
    const wanted = { ...manifest, publishConfig: publishConfigOf(manifest) }
    const isSame = JSON.stringify(manifest) === JSON.stringify(wanted)
    if (!isSame && writes) writeFileSync(join(root, folder, 'package.json'), `${JSON.stringify(wanted, null, 2)}\n`)
    return !isSame
  })
  for (const folder of changed) console.log(`  ${folder}/package.json`)
  console.log(
    `Manifests: ${publishedFolders().length} packages, ${changed.length} changed${writes ? ' and written' : ''}.`,
  )
  if (changed.length === 0 || writes) return
  console.error('`publishConfig` is not what `exports` asks for: run `node scripts/manifests.mjs --write`.')
  process.exitCode = 1
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) checkAll(process.argv.includes('--write'))
