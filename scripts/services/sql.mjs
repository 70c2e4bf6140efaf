/** PostgreSQL, PgBouncer before one, MariaDB and MySQL. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, makeFolder, startNode } from './nodes.mjs'

const execute = promisify(execFile)

/** The user of a process; in a private root the command changes the user itself. */
const runAs = (program) => (program.root ? undefined : program.user)

export async function probePostgres(url) {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query('SHOW server_version')).rows[0].server_version.split(' ')[0]
  } finally {
    await client.end().catch(() => {})
  }
}

/** MariaDB says so in its version. */
export async function probeMysql(url) {
  const mysql = await import('mysql2/promise')
  const connection = await mysql.createConnection({ uri: url, connectTimeout: 5_000 })
  try {
    const [[row]] = await connection.query('SELECT VERSION() AS version')
    return row.version.replace(/-MariaDB.*/, ' MariaDB')
  } finally {
    connection.destroy()
  }
}

const container = (program, port, inner, env, args) => {
  const name = `retryproof-${process.pid}-${port}`
  const variables = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`])
  return {
    command: [
      'docker',
      'run',
      '--rm',
      '--name',
      name,
      ...variables,
      '-p',
      `127.0.0.1:${port}:${inner}`,
      program.image,
      ...args,
    ],
    afterwards: ['docker', 'rm', '-f', name],
  }
}

export async function postgres(program, options) {
  const folder = await makeFolder(program)
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const durability = options.durable ? [] : ['fsync=off', 'full_page_writes=off']
  const settings = ['max_connections=300', ...durability, ...(options.args ?? [])].flatMap((setting) => ['-c', setting])
  const how = { port, url, folder, ready: () => probePostgres(url) }
  if (program.image) {
    const run = container(program, port, 5432, { POSTGRES_HOST_AUTH_METHOD: 'trust' }, settings)
    return { nodes: [await startNode({ ...how, ...run })], folders: [folder] }
  }
  const data = join(folder.inside, 'data')
  const [initdb, ...args] = program.command(
    'initdb',
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '-N',
  )
  await execute(initdb, args, { cwd: folder.path, ...runAs(program) })
  const command = program.command(
    'postgres',
    '-D',
    data,
    '-h',
    '127.0.0.1',
    '-p',
    String(port),
    '-k',
    folder.inside,
    ...settings,
  )
  // SIGQUIT: ends at once, and takes its own children along, which SIGKILL would not
  const node = await startNode({ ...how, command, user: runAs(program), stopSignal: 'SIGQUIT' })
  return { nodes: [node], folders: [folder] }
}

/** A primary, and a replica that streams from it; the primary acknowledges only what the replica has on its disk. */
export async function postgresReplica(program, options) {
  const { nodes, folders } = await postgres(program, options)
  const [primary] = nodes
  const folder = await makeFolder(program)
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const data = join(folder.inside, 'data')
  const source = `host=127.0.0.1 port=${primary.port} user=postgres`
  const [copy, ...args] = program.command('pg_basebackup', '-D', data, '-d', source, '-R', '-X', 'stream', '-c', 'fast')
  await execute(copy, args, { cwd: folder.path, ...runAs(program) })
  const at = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', folder.inside, '-c', 'max_connections=300']
  const replica = await startNode({
    role: 'replica',
    port,
    url,
    folder,
    command: program.command('postgres', ...at),
    user: runAs(program),
    stopSignal: 'SIGQUIT',
    ready: () => probePostgres(url),
  })
  await askPostgres(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'", 'SELECT pg_reload_conf()')
  return { nodes: [primary, replica], folders: [...folders, folder] }
}

async function askPostgres(url, ...statements) {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

/** PgBouncer in transaction mode, before a PostgreSQL of its own (the second node). */
export async function pgbouncer(program, options, obtainPostgres) {
  const behind = await postgres(await obtainPostgres(), options)
  const [server] = behind.nodes
  const folder = await makeFolder(program)
  const port = await freePort()
  const config = [
    '[databases]',
    `* = host=127.0.0.1 port=${server.port} user=postgres`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    'max_client_conn = 500',
    'default_pool_size = 20',
    // clients wait for as long, once the server has refused a login: 15 s by default, longer than a store waits for its pool
    'server_login_retry = 1',
  ]
  writeFileSync(join(folder.path, 'pgbouncer.ini'), `${config.join('\n')}\n`)
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const [path] = program.command('pgbouncer')
  const own = (await execute(path, ['--version'])).stdout.split('\n')[0].replace('PgBouncer ', '')
  const ready = async () => `${own} before ${await probePostgres(url)}`
  const node = await startNode({
    role: 'router',
    port,
    url,
    folder,
    command: [path, join(folder.path, 'pgbouncer.ini')],
    user: program.user,
    ready,
  })
  return { nodes: [node, server], folders: [folder, ...behind.folders] }
}

const account = [
  'CREATE DATABASE IF NOT EXISTS retryproof',
  "CREATE USER IF NOT EXISTS retryproof@'%' IDENTIFIED BY 'retryproof'",
  "GRANT ALL ON *.* TO retryproof@'%' WITH GRANT OPTION",
]
/** Survives the end of the server, not that of the machine. */
const looseMysql = ['--innodb-flush-log-at-trx-commit=2', '--sync-binlog=0']

function mysqlSettings(options) {
  return [
    '--max-connections=500',
    '--skip-log-bin',
    '--performance-schema=OFF',
    ...(options.durable ? [] : looseMysql),
    ...(options.args ?? []),
  ]
}

/** MariaDB and MySQL differ in how a data directory is made, and in little else. */
async function mysqlLike(program, options, { tool, initialize, extra = [], containerEnv }) {
  const folder = await makeFolder(program)
  const port = await freePort()
  const url = `mysql://retryproof:retryproof@127.0.0.1:${port}/retryproof`
  const how = { port, url, folder, ready: () => probeMysql(url) }
  if (program.image) {
    const run = container(program, port, 3306, containerEnv, mysqlSettings(options))
    return { nodes: [await startNode({ ...how, ...run })], folders: [folder] }
  }
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  const data = join(folder.inside, 'data')
  const [first, ...args] = initialize(data, user)
  // in a folder that they share, servers remove each other's temporary tables when they start
  await execute(first, args, { maxBuffer: 1e8, env: { ...process.env, TMPDIR: folder.inside } })
  writeFileSync(join(folder.path, 'account.sql'), account.map((statement) => `${statement};\n`).join(''))
  const at = [
    `--datadir=${data}`,
    `--tmpdir=${folder.inside}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    `--socket=${join(folder.inside, 'socket')}`,
    `--pid-file=${join(folder.inside, 'pid')}`,
  ]
  const accounts = `--init-file=${join(folder.inside, 'account.sql')}`
  const command = program.command(tool, '--no-defaults', ...user, ...at, accounts, ...extra, ...mysqlSettings(options))
  return { nodes: [await startNode({ ...how, command })], folders: [folder] }
}

export const mariadb = (program, options) =>
  mysqlLike(program, options, {
    tool: 'mariadbd',
    containerEnv: {
      MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: '1',
      MARIADB_DATABASE: 'retryproof',
      MARIADB_USER: 'retryproof',
      MARIADB_PASSWORD: 'retryproof',
    },
    initialize: (data, user) =>
      program.command(
        'mariadb-install-db',
        '--no-defaults',
        ...user,
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ),
  })

export const mysql = (program, options) =>
  mysqlLike(program, options, {
    tool: 'mysqld',
    containerEnv: {
      MYSQL_ALLOW_EMPTY_PASSWORD: '1',
      MYSQL_DATABASE: 'retryproof',
      MYSQL_USER: 'retryproof',
      MYSQL_PASSWORD: 'retryproof',
    },
    extra: ['--mysqlx=OFF', '--secure-file-priv='],
    initialize: (data, user) =>
      program.command('mysqld', '--no-defaults', ...user, '--initialize-insecure', `--datadir=${data}`),
  })
