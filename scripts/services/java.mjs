/** Servers that are Java: a program here is `{ source, version, java(main, ...args) }` with the classes of one folder of jars. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cache, dockerRuns, installPackages, NotAvailable, say, which, withLock } from './obtain.mjs'

const execute = promisify(execFile)

/** A start costs less with the simple compiler, and a test's server is done before the other would have paid. */
const lean = ['-Xms32m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/**
 * A server of Maven's: the installation whose script `binary` is on the PATH, else a container, else the artifacts at
 * their pinned versions with what they depend on, downloaded once for this machine.
 *
 * @param artifacts `group:name:version` each; the first is the server
 */
export function maven({ artifacts, binary, image }) {
  const [, name, pinned] = artifacts[0].split(':')
  const folder = join(cache, `${name}-${pinned}`)
  return async () => {
    const script = binary && which(binary)
    if (script) {
      const jars = join(dirname(dirname(realpathSync(script))), 'libs')
      return { source: 'binary', version: versionIn(jars, name), java: await javaOf(jars) }
    }
    if (await dockerRuns()) return { source: 'container', image, version: image.split(':')[1] }
    if (!existsSync(folder)) await withLock(name, () => existsSync(folder) || download(folder, artifacts))
    return { source: 'maven', version: pinned, java: await javaOf(folder) }
  }
}

const versionIn = (jars, name) =>
  readdirSync(jars)
    .map((file) => /^(.*)-(\d[\d.]*)\.jar$/.exec(file))
    .find((found) => found?.[1].replace(/_.*/, '') === name.replace(/_.*/, ''))?.[2] ?? ''

async function javaOf(jars) {
  if (!which('java')) await installPackages(['default-jre-headless'], 'no java on the PATH')
  const java = which('java')
  return (options, main, ...args) => [java, ...lean, ...options, '-cp', join(jars, '*'), main, ...args]
}

async function download(folder, artifacts) {
  if (!which('mvn')) await installPackages(['maven'], `no container engine and no mvn to download ${artifacts[0]} with`)
  say(`downloading ${artifacts[0]} and what it depends on to ${folder}`)
  const work = `${folder}.part`
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  writeFileSync(join(work, 'pom.xml'), pom(artifacts))
  // -C: a file whose checksum is not the published one ends the download
  const args = ['-q', '-B', '-C', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=jars']
  await execute('mvn', args, { cwd: work, maxBuffer: 1e8 }).catch((error) => {
    throw new NotAvailable(`${artifacts[0]} could not be had: ${String(error.stdout || error.message).trim()}`)
  })
  renameSync(join(work, 'jars'), folder)
  rmSync(work, { recursive: true })
}

function pom(artifacts) {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>retryproof</groupId><artifactId>servers</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('')}</dependencies>
</project>
`
}
