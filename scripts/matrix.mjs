// The version matrix: runs the suite of each binding and adapter on versions that its peer range promises.
// `npm run matrix -- [--list] [--sample] [--quick] [pattern]`: all cells, only their names, the one that this commit drew,
// without the stores that need a server, or those that match.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import semver from 'semver'
import { runtime } from './runtimes.mjs'
import { readSelection } from './selection.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const LIMIT_MS = 600_000

/**
 * Packages whose versions make cells. `as`: the name under which a package's tests import a major, and the title of their
 * tests. `with`: packages of its family, none of them newer. `peers`: packages that those need, in the version that the tests have.
 * `beside`: a package whose majors each make a cell more, as far as the peer range promises them.
 */
const subjects = [
  { folder: 'packages/express', peer: 'express', as: { 4: ['express4', 'Express 4'], 5: ['express', 'Express 5'] } },
  { folder: 'packages/fastify', peer: 'fastify', middle: true, next: true },
  { folder: 'packages/koa', peer: 'koa', as: { 2: ['koa2', 'Koa 2'], 3: ['koa', 'Koa 3'] } },
  { folder: 'packages/hono', peer: 'hono', beside: '@hono/node-server' },
  {
    folder: 'packages/nestjs',
    peer: '@nestjs/core',
    with: ['@nestjs/common', '@nestjs/platform-express', '@nestjs/platform-fastify', '@nestjs/testing'],
    peers: ['reflect-metadata', 'rxjs'],
  },
  { folder: 'adapters/redis', peer: 'ioredis', as: { 5: ['ioredis5', 'ioredis 5'], 6: ['ioredis', 'ioredis 6'] } },
  { folder: 'adapters/postgres', peer: 'pg' },
  { folder: 'adapters/mysql', peer: 'mysql2' },
  { folder: 'adapters/mongodb', peer: 'mongodb' },
  { folder: 'adapters/sqlite', peer: 'better-sqlite3' },
]

/** Files that hold for every version. The others look at details of the newest one. */
const suites = ['test/binding.test.ts', 'test/differential.test.ts', 'test/conformance.test.ts']

const { list, sample, quick, select } = readSelection('matrix', ['list', 'sample', 'quick'])
const cells = drawn(select(subjects.flatMap(cellsOf), ({ name }) => name))

if (list) {
  for (const { name } of cells) console.log(name)
} else {
  const results = cells.map((cell) => ({ cell, ...run(cell) }))
  console.log('\n| cell | result | seconds |\n|---|---|---|')
  for (const { cell, result, seconds } of results) console.log(`| ${cell.name} | ${result} | ${seconds} |`)
  process.exitCode = results.every(({ passed }) => passed) ? 0 : 1
}

/**
 * One cell, which the hash of the commit chooses, so that the commits of a week see all of them. What is published for trial
 * may break from one day to the next, and is not among them.
 */
function drawn(every) {
  if (!sample) return every
  const all = every.filter(({ isTrial }) => !isTrial)
  const hash = output('git', ['rev-parse', 'HEAD'], root).trim()
  return [all[Number.parseInt(hash.slice(0, 8), 16) % all.length]]
}

function output(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 27 })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

function cellsOf(subject) {
  const { peerDependencies } = JSON.parse(readFileSync(join(root, subject.folder, 'package.json'), 'utf8'))
  const promised = peerDependencies[subject.peer]
  const within = versionsWithin(subject.peer, promised)
  const majors = byMajor(within)
  const companions = subject.beside
    ? newestOfEachMajor(versionsWithin(subject.beside, peerDependencies[subject.beside]))
    : [undefined]
  return majors.flatMap((versions, index) => {
    const chosen = [versions.at(0), subject.middle && versions[versions.length >> 1], versions.at(-1)]
    const next = subject.next && index === majors.length - 1 ? nextOf(subject.peer, versions.at(-1)) : undefined
    return [...new Set([...chosen, next])]
      .filter(Boolean)
      .flatMap((version) => companions.map((companion) => cellOf(subject, version, companion)))
  })
}

function versionsOf(name) {
  const all = JSON.parse(output('npm', ['view', name, 'versions', '--json'], root))
  return semver.sort(all.filter((version) => semver.prerelease(version) === null))
}

function versionsWithin(name, range) {
  return versionsOf(name).filter((version) => semver.satisfies(version, range))
}

function newestOfEachMajor(versions) {
  return byMajor(versions).map((ofMajor) => ofMajor.at(-1))
}

function byMajor(versions) {
  const majors = [...new Set(versions.map((version) => semver.major(version)))]
  return majors.map((major) => versions.filter((version) => semver.major(version) === major))
}

/** The newest version of the major after that one, which is published for trial. */
function nextOf(name, newest) {
  const all = JSON.parse(output('npm', ['view', name, 'versions', '--json'], root))
  return semver.sort(all.filter((version) => semver.prerelease(version) && semver.gt(version, newest))).at(-1)
}

function cellOf(subject, version, companion) {
  const { folder, peer, as = {}, beside, peers = [] } = subject
  const [alias, title] = as[semver.major(version)] ?? [peer, undefined]
  const installed = [
    [alias, peer, version],
    ...(subject.with ?? []).map((name) => [name, name, companionOf(name, version)]),
    ...peers.map((name) => [name, name, versionIn(folder, name)]),
    ...(companion ? [[beside, beside, companion]] : []),
  ]
  const name = `${folder}: ${peer} ${version}${companion ? `, ${beside} ${companion}` : ''}`
  return { name, folder, title, installed, isTrial: semver.prerelease(version) !== null }
}

/** The newest version of a package that is no newer than one of its family. */
function companionOf(name, version) {
  return versionsWithin(name, `${semver.major(version)}.0.0 - ${version}`).at(-1)
}

/** The version that a package of ours has of another. */
function versionIn(folder, name) {
  return JSON.parse(readFileSync(join(root, folder, 'node_modules', name, 'package.json'), 'utf8')).version
}

/** Copies the repository, and runs the suites of the package with these versions in place of its own. */
function run({ name, folder, title, installed }) {
  const place = realpathSync(mkdtempSync(join(tmpdir(), 'retryproof-matrix-')))
  const startedAt = Date.now()
  const told = (result, passed) => ({ result, passed, seconds: Math.round((Date.now() - startedAt) / 1000) })
  console.log(`\n── ${name}`)
  try {
    copyRepository(place)
    const versions = join(place, 'versions')
    mkdirSync(versions)
    const wanted = installed.map(([alias, peer, version]) => `${alias}@npm:${peer}@${version}`)
    const install = ['install', '--no-audit', '--no-fund', '--legacy-peer-deps', '--prefix', versions, ...wanted]
    const { status } = spawnSync('npm', install, { cwd: versions, stdio: 'inherit' })
    if (status !== 0) return told('not tested: it cannot be installed here', process.env.CI === undefined)
    for (const [alias] of installed)
      link(join(versions, 'node_modules', alias), join(place, folder, 'node_modules', alias))
    const files = suites.filter((file) => existsSync(join(place, folder, file)))
    const report = join(place, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const vitest = join(place, 'node_modules/vitest/vitest.mjs')
    const args = [vitest, 'run', ...files, '-t', testsOf(folder, title), ...reporters]
    const node = nodeFor(installed[0], versions)
    if (node.missing) return told(`not tested: ${node.missing}`, process.env.CI === undefined)
    const tests = spawnSync(node.path, args, { cwd: join(place, folder), stdio: 'inherit', timeout: LIMIT_MS })
    const { numPassedTests = 0, numFailedTests = 0 } = existsSync(report)
      ? JSON.parse(readFileSync(report, 'utf8'))
      : {}
    // a cell in which no test ran proves nothing
    const isGreen = tests.status === 0 && numPassedTests > 0
    return told(`${isGreen ? 'green' : 'RED'} (${numPassedTests} passed, ${numFailedTests} failed)`, isGreen)
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** This Node, or a newer one for a version that asks for it or that is published for trial. */
function nodeFor([alias, , version], versions) {
  const { engines } = JSON.parse(readFileSync(join(versions, 'node_modules', alias, 'package.json'), 'utf8'))
  const isFit = semver.prerelease(version) === null && semver.satisfies(process.versions.node, engines?.node ?? '*')
  return isFit ? { path: process.execPath } : runtime('node24')
}

/** Only the suite of bindings runs on several stores. */
function testsOf(folder, title = '') {
  return quick && folder.startsWith('packages/') ? `^(memory ${title}|${title}.* answers behind a guard)` : title
}

function copyRepository(place) {
  const files = output('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], root).split('\0')
  for (const file of files) if (file && existsSync(join(root, file))) cpSync(join(root, file), join(place, file))
  link(join(root, 'node_modules'), join(place, 'node_modules'))
  const parents = ['packages', 'adapters'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((each) => join(parent, each)),
  )
  for (const folder of [...parents, 'conformance']) {
    const from = join(root, folder, 'node_modules')
    if (existsSync(from)) for (const dependency of dependenciesIn(from)) linkDependency(place, folder, dependency)
  }
}

function dependenciesIn(folder) {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(folder, name)).map((each) => `${name}/${each}`) : [name],
    )
}

/** Links what the package has; our own packages are those of the copy. */
function linkDependency(place, folder, dependency) {
  const real = realpathSync(join(root, folder, 'node_modules', dependency))
  const target = dependency.startsWith('@retryproof/') ? join(place, relative(root, real)) : real
  link(target, join(place, folder, 'node_modules', dependency))
}

function link(target, path) {
  rmSync(path, { recursive: true, force: true })
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(target, path)
}
