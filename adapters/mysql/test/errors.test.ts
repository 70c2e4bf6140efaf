/** Every kind of store error, provoked on a server of these tests' own. */
import { createConnection, type LookupFunction } from 'node:net'
import { misconfigured, unavailable } from '@retryproof/conformance/test-tools/store-errors'
import type mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OwnNode, type Service, startService } from '../../../scripts/services.mjs'
import { type MysqlStore, migrate, mysqlStore } from '../src/index.ts'
import { claim, completed, connect, onEachServer, rowsOf, type Settings, waitingFor } from './fixtures.ts'

/** Resolves every name to two addresses, as a name does that has one of IPv4 and one of IPv6. */
const twoAddresses: LookupFunction = (_name, _options, done) =>
  done(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '127.0.0.2', family: 4 },
  ])

await onEachServer(({ title, version }) =>
  describe(`errors of ${title}`, { timeout: 60_000 }, () => {
    let server: Service<OwnNode>
    let admin: mysql.Pool
    let store: MysqlStore<mysql.PoolConnection>

    beforeAll(async () => {
      server = await startService(version.includes('MariaDB') ? 'mariadb' : 'mysql', {
        args: ['--log-bin=binlog', '--server-id=1', '--binlog-format=STATEMENT'],
      })
      admin = connect(server.url)
      await migrate({ pool: admin })
      store = mysqlStore({ pool: admin })
      await admin.query('CREATE TABLE mine (id INT PRIMARY KEY)')
      await admin.query("CREATE USER application IDENTIFIED BY 'right'")
      await admin.query('GRANT SELECT, INSERT, UPDATE, DELETE ON retryproof.* TO application')
      await admin.query("CREATE USER crowded IDENTIFIED BY 'right' WITH MAX_USER_CONNECTIONS 1")
      await admin.query('GRANT SELECT, INSERT, UPDATE, DELETE ON retryproof.* TO crowded')
      await admin.query("CREATE USER poor IDENTIFIED BY 'right'")
      await admin.query('GRANT SELECT ON retryproof.* TO poor')
    }, 60_000)
    afterAll(async () => {
      await admin.end()
      await server.stop()
    })

    async function withStore(
      { user = 'application', password = 'right', path = '/retryproof' },
      settings: Settings,
      use: (store: MysqlStore<mysql.PoolConnection>, pool: mysql.Pool) => Promise<void>,
    ): Promise<void> {
      const url = Object.assign(new URL(server.url), { username: user, password, pathname: path }).href
      const pool = connect(url, settings)
      await use(mysqlStore({ pool }), pool).finally(() => pool.end())
    }

    test('1290: a server that only reads for now is unavailable, and the next connection is a new one', () =>
      withStore({}, { pool: { connectionLimit: 1 } }, async (demoted, pool) => {
        const connection = async () => (await rowsOf(pool, 'SELECT CONNECTION_ID() AS id'))[0]?.id
        const { token } = await demoted.begin('demoted', claim())
        const before = await connection()
        await admin.query('SET GLOBAL read_only = 1')
        const onlyReads = unavailable('no', /read-only.*only reads for now/)
        await expect(demoted.transition('demoted', token, completed('x'))).rejects.toMatchObject(onlyReads)
        const lost = unavailable('no', /session was lost/)
        const settling = demoted.transaction((tx) => demoted.bind(tx).transition('demoted', token, completed('x')))
        await expect(settling).rejects.toMatchObject(lost)
        await expect(demoted.transaction((tx) => tx.query('INSERT INTO mine VALUES (1)'))).rejects.toMatchObject(lost)
        const late = mysqlStore({ pool })
        await expect(late.get('demoted')).rejects.toMatchObject(unavailable('no', /only reads for now/))
        await admin.query('SET GLOBAL read_only = 0')
        expect(await demoted.transition('demoted', token, completed('x'))).toEqual({ outcome: 'ok', applied: true })
        expect(await connection()).not.toBe(before)
      }))

    test('1792: a session that only reads', () =>
      withStore({}, { session: ['SET SESSION TRANSACTION READ ONLY'] }, async (reader) => {
        await expect(reader.begin('reader', claim())).rejects.toMatchObject(unavailable('no', /only reads for now/))
      }))

    test('1226: too many connections', () =>
      withStore({ user: 'crowded' }, {}, async (crowded, pool) => {
        const taken = await pool.getConnection()
        const crowd = unavailable('no', /All connections are taken/)
        await expect(crowded.begin('k', claim())).rejects.toMatchObject(crowd)
        taken.release()
      }))

    test.each([
      ['1045, a wrong password', { password: 'wrong' }, /Check the user/],
      ['1142, a user that may not', { user: 'poor' }, /needs SELECT, INSERT, UPDATE and DELETE/],
      ['1044 or 1049, another database', { path: '/none' }, /Create the database|Check the user/],
    ])('%s', (_, account, said) =>
      withStore(account, {}, async (refused) => {
        await expect(refused.begin('k', claim())).rejects.toMatchObject(misconfigured(said))
      }),
    )

    test('1146, a table that was dropped; 1665, a log of statements', async () => {
      await migrate({ pool: admin, table: 'dropped' })
      const orphan = mysqlStore({ pool: admin, table: 'dropped' })
      await orphan.begin('k', claim())
      await admin.query('DROP TABLE dropped')
      await expect(orphan.begin('k', claim())).rejects.toMatchObject(misconfigured(/Run migrate\(\)/))
      const logged = store.transaction((tx) => store.bind(tx).begin('logged', claim()))
      await expect(logged).rejects.toMatchObject(misconfigured(/Set binlog_format to ROW or MIXED/))
    })

    test('1205, a lock that is held too long; a session that an administrator ends', async () => {
      const holder = await admin.getConnection()
      await holder.query('BEGIN')
      await store.begin('held', claim())
      await holder.query("SELECT * FROM retryproof WHERE k = 'held' FOR UPDATE")
      const settings = { session: ['SET SESSION innodb_lock_wait_timeout = 1'] }
      await withStore({}, settings, async (hasty) => {
        await expect(hasty.begin('held', claim())).rejects.toMatchObject(unavailable('no', /Lock wait timeout/i))
      })
      await withStore({}, {}, async (waiting) => {
        await waiting.get('held')
        const begun = expect(waiting.begin('held', claim())).rejects.toMatchObject(unavailable('unknown', /./))
        await waitingFor(admin, 'retryproof')
        const [row] = await rowsOf(
          admin,
          'SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx WHERE trx_state = "LOCK WAIT"',
        )
        await admin.query(`KILL ${row?.id}`)
        await begun
      })
      await holder.query('ROLLBACK')
      holder.release()
      await withStore({}, {}, async (ended) => {
        const killed = ended.transaction(async (tx) => {
          await admin.query(`KILL ${tx.threadId}`)
          await tx.query('INSERT INTO mine VALUES (2)')
        })
        // the COMMIT was never sent
        await expect(killed).rejects.toMatchObject(unavailable('no', /session was lost/))
      })
    })

    test('a host with two addresses at which nobody listens; TLS that the server has not', async () => {
      const absent = { host: 'two.addresses', port: 1, autoSelectFamily: true, lookup: twoAddresses }
      await withStore({}, { pool: { stream: () => createConnection(absent) } }, (unreachable) =>
        expect(unreachable.begin('k', claim())).rejects.toMatchObject(
          unavailable('no', /connect ECONNREFUSED 127\.0\.0\.1:1/),
        ),
      )
      if (!version.includes('MariaDB')) return
      await withStore({}, { pool: { ssl: {} } }, (untrusted) =>
        expect(untrusted.begin('k', claim())).rejects.toMatchObject(misconfigured(/secure connection.*`ssl`/)),
      )
    })

    test('a pool that the application ended, and a server that is gone', async () => {
      const pool = connect(server.url)
      const ended = mysqlStore({ pool })
      await ended.get('k')
      await pool.end()
      for (const call of [() => ended.begin('k', claim()), () => ended.transaction(() => 'never')]) {
        await expect(call()).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_CLOSED' })
      }
      const [node] = server.nodes as [OwnNode]
      await node.kill()
      await expect(store.begin('k', claim())).rejects.toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE' })
      await expect(store.begin('k', claim())).rejects.toMatchObject(unavailable('no', /ECONNREFUSED/))
      await node.start()
      expect(await store.begin('back', claim())).toMatchObject({ outcome: 'acquired' })
    })
  }),
)
