// Holds the public surface of each entry against its report in `api/`, so that no export comes or goes unnoticed.
// Reads dist: build first. `--write` writes the reports; without it, a report that is out of date fails.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'
import { manifestOf, modulesOf, publishedFolders } from './manifests.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const writes = process.argv.includes('--write')
const scratch = mkdtempSync(join(tmpdir(), 'retryproof-api-'))

const entries = publishedFolders().flatMap(entriesOf)
const outdated = entries.filter((entry) => !isUpToDate(entry))
rmSync(scratch, { recursive: true, force: true })
console.log(`API reports: ${entries.length} entries, ${outdated.length} changed${writes ? ' and written' : ''}.`)
for (const { report } of outdated) console.log(`  ${report}`)
if (outdated.length > 0 && !writes) {
  console.error(
    'The public surface changed. Look at it with `node scripts/api-reports.mjs --write`, and commit the report.',
  )
  process.exitCode = 1
}

function entriesOf(folder) {
  const manifest = manifestOf(folder)
  return Object.entries(modulesOf(manifest))
    .filter(([entry]) => entry !== './internal')
    .map(([entry, module]) => ({
      folder,
      name: manifest.name,
      types: join(root, folder, `dist/${module}.d.ts`),
      report: `${folder}/api/${entry === '.' ? 'index' : entry.slice(2).replaceAll('/', '-')}.api.md`,
    }))
}

function isUpToDate({ folder, types, report }) {
  if (!existsSync(types)) throw new Error(`${types} is missing: build first.`)
  mkdirSync(join(root, folder, 'api'), { recursive: true })
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(root, folder, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: join(root, folder),
      newlineKind: 'lf',
      mainEntryPointFilePath: types,
      compiler: { overrideTsconfig: { compilerOptions: compilerOptions(), files: [types] } },
      apiReport: {
        enabled: true,
        reportFileName: report.split('/').at(-1),
        reportFolder: join(root, folder, 'api'),
        reportTempFolder: scratch,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  })
  const { apiReportChanged } = Extractor.invoke(config, {
    localBuild: writes,
    messageCallback: (message) => {
      message.handled = true
    },
  })
  return !apiReportChanged
}

/** Resolves packages of this repository to their dist, where in development `exports` point to sources. */
function compilerOptions() {
  const paths = Object.fromEntries(
    publishedFolders().flatMap((folder) => {
      const manifest = manifestOf(folder)
      return Object.entries(modulesOf(manifest)).map(([entry, module]) => [
        `${manifest.name}${entry.slice(1)}`,
        [join(root, folder, `dist/${module}.d.ts`)],
      ])
    }),
  )
  return {
    target: 'es2023',
    lib: ['ES2023', 'DOM'],
    module: 'esnext',
    moduleResolution: 'bundler',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    paths,
  }
}
