// Loads the packed packages everywhere: TypeScript and its module settings, `require` and `import` on Node, test runners, Nest, Next, Metro.
// `npm run loading -- [--list] [--sample] [pattern]`: all cells, only their names, those of `npm test`, or those that match.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import semver from 'semver'
import { manifestOf, modulesOf, publishedFolders } from './manifests.mjs'
import { execute, install, pack } from './pack.mjs'
import { runtime } from './runtimes.mjs'
import { readSelection } from './selection.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const { list, sample, select } = readSelection('loading', ['list', 'sample'])

/** Entries that declare tests for Vitest, and run nowhere else. */
const insideVitest = ['@retryproof/conformance/vitest']

const typescripts = ['5.5', '5.6', '5.7', '5.8', '5.9', '6.0', '7.0']
/** Module settings, the resolver that goes with each, and the first version of TypeScript that knows it. */
const modules = [
  { module: 'commonjs', since: '5.5' },
  { module: 'node16', since: '5.5' },
  { module: 'node18', since: '5.8' },
  { module: 'node20', since: '5.9' },
  { module: 'nodenext', since: '5.5' },
  { module: 'preserve', moduleResolution: 'bundler', since: '5.5' },
]

const cells = select(
  [...typescripts.flatMap(typeCells), ...nodeCells(), ...testCells(), nestCell(), nextCell(), metroCell()],
  ({ name }) => name,
).filter(({ inSample }) => inSample || !sample)

if (list) for (const { name } of cells) console.log(name)
else runAll()

function runAll() {
  const project = mkdtempSync(join(tmpdir(), 'retryproof-loading-'))
  try {
    prepare(project)
    const results = cells.map((cell) => report(cell, project))
    const failed = results.filter(({ problem }) => problem !== undefined).length
    console.log(`Loading: ${results.length - failed} passed, ${failed} failed`)
    process.exitCode = failed > 0 ? 1 : 0
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
}

function report({ name, run, version }, project) {
  const startedAt = Date.now()
  const problem = run(project)
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  console.log(`${problem === undefined ? 'passed' : 'FAILED'}: ${name} (${version(project)}, ${seconds} s)`)
  if (problem !== undefined) console.log(problem)
  return { problem }
}

/** Makes a CommonJS project of all packages and of the frameworks and drivers that their types name. */
function prepare(project) {
  writeFileSync(join(project, 'package.json'), '{ "name": "stranger", "private": true }\n')
  cpSync(join(here, 'loading'), project, { recursive: true })
  const tools = cells.flatMap(({ needs }) => needs)
  install(project, [...pack(publishedFolders(), project), ...peers(), ...new Set(tools)])
  const all = publishedFolders().flatMap((folder) => entriesOf(manifestOf(folder)))
  const entries = all.filter((entry) => !insideVitest.includes(entry))
  writeFileSync(join(project, 'entries.json'), JSON.stringify({ entries }))
  const imports = all.map((entry, index) => `import * as entry${index} from '${entry}'\n`)
  const used = `export const used = [${all.map((_, index) => `entry${index}`)}]\n`
  writeFileSync(join(project, 'entries.ts'), [...imports, used].join(''))
}

/** Reads the version of an installed package. */
function versionOf(project, name) {
  return JSON.parse(readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8')).version
}

function entriesOf(manifest) {
  return Object.keys(modulesOf(manifest)).map((entry) => manifest.name + entry.slice(1))
}

/** Versions of peers and of their types, as the workspace has them. */
function peers() {
  const wanted = publishedFolders().flatMap((folder) => {
    const { peerDependencies = {}, devDependencies = {} } = manifestOf(folder)
    const names = Object.keys(peerDependencies).flatMap((name) => [name, `@types/${name}`])
    return names.flatMap((name) =>
      devDependencies[name]?.match(/^[\^~\d]/) ? [`${name}@${devDependencies[name]}`] : [],
    )
  })
  const catalogue = [
    'vitest',
    '@types/node@20',
    '@types/react@19',
    '@types/koa@3',
    '@types/better-sqlite3@7',
    'reflect-metadata',
  ]
  return [...new Set([...wanted, ...catalogue])]
}

function typeCells(version) {
  return modules
    .filter(({ since }) => semver.gte(`${version}.0`, `${since}.0`))
    .map(({ module, moduleResolution }) => ({
      name: `types: TypeScript ${version}, module ${moduleResolution ?? module}`,
      needs: [`typescript-${version}@npm:typescript@~${version}.0`],
      version: (project) => versionOf(project, `typescript-${version}`),
      inSample: version === '5.9' && ['commonjs', 'node16'].includes(module),
      run: (project) => check(project, version, { module, ...(moduleResolution && { moduleResolution }) }),
    }))
}

/** Compiles the application and an import of each entry, as CommonJS and as ES modules where the setting tells them apart. */
function check(project, version, compilerOptions) {
  const folder = join(project, `types-${version}-${compilerOptions.module}`)
  mkdirSync(folder)
  const extensions = compilerOptions.module.startsWith('node') ? ['ts', 'mts'] : ['ts']
  for (const extension of extensions)
    for (const file of ['app', 'entries']) cpSync(join(project, `${file}.ts`), join(folder, `${file}.${extension}`))
  const strict = {
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    esModuleInterop: true,
  }
  const runtimeTypes = {
    target: 'es2022',
    lib: ['es2023', 'dom', 'dom.iterable', 'esnext.disposable'],
    types: ['node'],
  }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...strict, ...runtimeTypes, ...compilerOptions } }),
  )
  const tsc = join(project, 'node_modules', `typescript-${version}`, 'bin/tsc')
  const errors = run(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], folder).stdout.split('\n').filter(isOurs)
  return errors.length > 0 ? errors.join('\n') : undefined
}

/** Tells whether an error of the compiler is in a file of ours: what frameworks and drivers publish is their own. */
function isOurs(line) {
  const isError = /error TS\d+/.test(line)
  return isError && (!line.includes('node_modules') || line.includes('node_modules/@retryproof/'))
}

function nodeCells() {
  return ['node20', 'node22', 'node24', 'node26'].map((name) => {
    return {
      name: `require and import: ${name.replace('node', 'Node ')}`,
      needs: [],
      version: () => runtime(name).version,
      inSample: name === 'node20',
      run: (project) => {
        const { path, missing } = runtime(name)
        return missing ?? problemOf(run(path, ['load.cjs'], project))
      },
    }
  })
}

/** Test runners, each without any configuration. */
function testCells() {
  return [
    {
      name: 'Jest 30, CommonJS, no configuration',
      needs: ['jest@30'],
      version: (project) => versionOf(project, 'jest'),
      inSample: true,
      run: (project) => problemOf(run('npx', ['jest', '--ci', 'entries.test.js'], project)),
    },
    {
      name: 'Vitest, no configuration',
      needs: [],
      version: (project) => versionOf(project, 'vitest'),
      inSample: false,
      run: (project) => problemOf(run('npx', ['vitest', 'run', 'entries.vitest.test.mjs'], project)),
    },
    {
      name: 'node:test, CommonJS',
      needs: [],
      version: () => process.version,
      inSample: false,
      run: (project) => problemOf(run(process.execPath, ['--test', 'entries.node.test.cjs'], project)),
    },
  ]
}

/** An application as `nest new` makes it, which gets the packages and one test. */
function nestCell() {
  return {
    name: 'Nest 11 as `nest new` makes it: build, and its own Jest',
    needs: [],
    version: (project) => versionOf(join(project, 'app'), '@nestjs/core'),
    inSample: false,
    run: (project) => {
      const cli = ['--yes', '@nestjs/cli@11', 'new', 'app', '--skip-git', '--skip-install', '--package-manager', 'npm']
      execute('npx', cli, project)
      const app = join(project, 'app')
      const tarballs = ['core', 'http', 'nestjs', 'memory'].map((name) => `../retryproof-${name}-0.0.0.tgz`)
      install(app, tarballs)
      cpSync(join(here, 'loading/nest.spec.ts'), join(app, 'src/nest.spec.ts'))
      return problemOf(run('npm', ['run', 'build'], app)) ?? problemOf(run('npm', ['test'], app))
    },
  }
}

/** An application as `create-next-app` makes it, whose page uses the hook and whose route is guarded. */
function nextCell() {
  const app = (project) => join(project, 'next-app')
  return {
    name: "Next as `create-next-app` makes it: 'use client', types, build, start",
    needs: [],
    version: (project) => versionOf(app(project), 'next'),
    inSample: false,
    run: (project) => {
      const flags = [
        '--typescript',
        '--app',
        '--no-src-dir',
        '--no-eslint',
        '--no-tailwind',
        '--use-npm',
        '--skip-install',
      ]
      execute('npx', ['--yes', 'create-next-app', 'next-app', ...flags, '--yes'], project)
      install(
        app(project),
        ['core', 'http', 'client', 'memory'].map((name) => `../retryproof-${name}-0.0.0.tgz`),
      )
      cpSync(join(here, 'loading/next'), join(app(project), 'app'), { recursive: true })
      const built = problemOf(run('npx', ['next', 'build'], app(project)))
      return built ?? problemOf(run(process.execPath, [join(here, 'loading/next.mjs')], app(project)))
    },
  }
}

function metroCell() {
  return {
    name: 'React Native: a bundle of Metro, run without Web Crypto',
    needs: ['metro@0.83', '@react-native/metro-babel-transformer@0.83', '@babel/core@7'],
    version: (project) => versionOf(project, 'metro'),
    inSample: false,
    run: (project) => problemOf(run(process.execPath, ['metro.cjs'], project)),
  }
}

function run(program, args, cwd) {
  return spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 })
}

function problemOf({ status, stdout, stderr, error }) {
  return status === 0 ? undefined : `${error?.message ?? ''}${stdout}${stderr}`
}
