// Holds the public surface of each entry against its report in `api/`, so that no export comes or goes unnoticed.
// Reads dist: build first. `--write` writes the reports; without it, a report that is out of date fails.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const writes = process.argv.includes('--write')
const scratch = mkdtempSync(join(tmpdir(), 'retryproof-api-'))

const entries = ['packages', 'adapters', '.'].flatMap(packagesIn).flatMap(entriesOf)
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

function packagesIn(folder) {
  const names = folder === '.' ? ['conformance'] : readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
  return names.filter((name) => existsSync(join(root, name, 'package.json')))
}

function entriesOf(folder) {
  const { name, exports, publishConfig } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  return Object.keys(exports ?? {})
    .filter((entry) => publishConfig?.exports[entry]?.types && entry !== './internal')
    .map((entry) => ({
      folder,
      name,
      types: join(root, folder, publishConfig.exports[entry].types),
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
    ['packages', 'adapters', '.'].flatMap(packagesIn).flatMap((folder) => {
      const { name, publishConfig } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
      return Object.entries(publishConfig?.exports ?? {})
        .filter(([, { types }]) => types)
        .map(([entry, { types }]) => [`${name}${entry.slice(1)}`, [join(root, folder, types)]])
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
