/** MySQL or MariaDB with a semi-synchronous replica. */
import { migrate, mysqlStore } from '@retryproof/mysql'
import mysql from 'mysql2/promise'
import { type OwnNode, startService } from '../../../scripts/services.mjs'
import type { Servers } from './failover-drill.ts'
import { openForwarder } from './forwarder.ts'

/** The words in which the two servers differ. */
const DIALECTS = {
  mariadb: {
    args: [],
    prepareSource: [
      'RESET MASTER',
      'SET GLOBAL rpl_semi_sync_master_enabled = 1',
      'SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC',
      'SET GLOBAL rpl_semi_sync_master_timeout = 600000',
    ],
    follow: (host: string, port: number) => [
      'RESET MASTER',
      'SET GLOBAL rpl_semi_sync_slave_enabled = 1',
      `CHANGE MASTER TO MASTER_HOST = '${host}', MASTER_PORT = ${port}, MASTER_USER = 'retryproof', MASTER_PASSWORD = 'retryproof', MASTER_USE_GTID = slave_pos`,
      'START SLAVE',
    ],
    isFollowing: "SHOW STATUS LIKE 'Rpl_semi_sync_slave_status'",
    status: 'SHOW SLAVE STATUS',
    stopReceiving: 'STOP SLAVE IO_THREAD',
    hasApplied: ({ Slave_SQL_Running_State: state }: Record<string, unknown>) =>
      /has read all relay log/.test(String(state)),
    lead: ['STOP SLAVE', 'RESET SLAVE ALL', 'SET GLOBAL read_only = 0'],
  },
  mysql: {
    args: ['--gtid-mode=ON', '--enforce-gtid-consistency=ON'],
    prepareSource: [
      'RESET BINARY LOGS AND GTIDS',
      "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
      'SET GLOBAL rpl_semi_sync_source_enabled = 1',
      'SET GLOBAL rpl_semi_sync_source_timeout = 600000',
    ],
    follow: (host: string, port: number) => [
      'RESET BINARY LOGS AND GTIDS',
      "INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'",
      'SET GLOBAL rpl_semi_sync_replica_enabled = 1',
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${host}', SOURCE_PORT = ${port}, SOURCE_USER = 'retryproof', SOURCE_PASSWORD = 'retryproof', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1`,
      'START REPLICA',
    ],
    isFollowing: "SHOW STATUS LIKE 'Rpl_semi_sync_replica_status'",
    status: 'SHOW REPLICA STATUS',
    stopReceiving: 'STOP REPLICA IO_THREAD',
    hasApplied: ({ Replica_SQL_Running_State: state }: Record<string, unknown>) =>
      /has read all relay log/.test(String(state)),
    lead: ['STOP REPLICA', 'RESET REPLICA ALL', 'SET GLOBAL super_read_only = 0', 'SET GLOBAL read_only = 0'],
  },
} as const

export async function startMysqlPair(name: keyof typeof DIALECTS): Promise<Servers<mysql.PoolConnection>> {
  const words = DIALECTS[name]
  const start = (id: number) =>
    startService(name, { args: ['--log-bin=binlog', `--server-id=${id}`, '--binlog-format=ROW', ...words.args] })
  const services = [await start(1), await start(2)] as const
  const [primary, replica] = services.map(({ nodes }) => nodes[0]) as [OwnNode, OwnNode]
  // the account of the services may write to a server that only reads; that of an application must not
  const application = (url: string) =>
    Object.assign(new URL(url), { username: 'application', password: 'application' }).href
  const operator = mysql.createPool({ uri: primary.url, connectionLimit: 1 })
  const successor = mysql.createPool({ uri: replica.url, connectionLimit: 1 })
  for (const statement of words.prepareSource) await operator.query(statement)
  for (const statement of words.follow(primary.host, primary.port)) await successor.query(statement)
  await until(successor, words.isFollowing, ({ Value: value }) => value === 'ON')
  await successor.query('SET GLOBAL read_only = 1')
  await operator.query("CREATE USER application IDENTIFIED BY 'application'")
  await operator.query('GRANT SELECT, INSERT, UPDATE, DELETE ON retryproof.* TO application')
  await migrate({ pool: operator })
  await operator.query('CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(64))')
  const forwarder = await openForwarder(primary.url)
  return {
    async open() {
      const pool = mysql.createPool({ uri: application(forwarder.url), connectionLimit: 8, connectTimeout: 2_000 })
      return {
        store: mysqlStore({ pool }),
        insertOrder: (tx, key) => tx.query('INSERT INTO orders (k) VALUES (?)', [key]),
        end: () => pool.end(),
      }
    },
    async demote() {
      await operator.query('SET GLOBAL read_only = 1')
    },
    async promote() {
      await successor.query(words.stopReceiving)
      await until(successor, words.status, words.hasApplied)
      for (const statement of words.lead) await successor.query(statement)
      forwarder.leadTo(replica.url)
    },
    kill: () => primary.kill(),
    async orders() {
      const [rows] = await successor.query<mysql.RowDataPacket[]>('SELECT k, COUNT(*) AS times FROM orders GROUP BY k')
      return new Map(rows.map(({ k, times }) => [k, Number(times)]))
    },
    async stop() {
      await forwarder.close()
      await successor.end()
      await operator.end().catch(() => {})
      for (const service of services) await service.stop()
    },
  }
}

async function until(
  pool: mysql.Pool,
  statement: string,
  holds: (row: Record<string, unknown>) => boolean,
): Promise<void> {
  for (;;) {
    const [[row]] = await pool.query<mysql.RowDataPacket[]>(statement)
    if (row && holds(row)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
