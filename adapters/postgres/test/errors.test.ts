/** Every kind of store error, provoked on a server of these tests' own. */
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type LookupFunction, type NetConnectOpts, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { misconfigured, unavailable } from '@retryproof/conformance/test-tools/store-errors'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OwnNode, type Service, startService } from '../../../scripts/services.mjs'
import { migrate, type PostgresRecordStore, type PostgresStore, postgresStore } from '../src/index.ts'
import { claim, completed, connect, someoneWaits } from './fixtures.ts'

/** Resolves every name to two addresses, as a name does that has one of IPv4 and one of IPv6. */
const twoAddresses: LookupFunction = (_name, _options, done) =>
  done(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '127.0.0.2', family: 4 },
  ])

describe('errors of PostgreSQL', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'retryproof-hba-'))
  let server: Service<OwnNode>
  let pool: pg.Pool
  let store: PostgresStore<pg.PoolClient>

  beforeAll(async () => {
    const hba = join(folder, 'pg_hba.conf')
    writeFileSync(hba, 'host all secretive 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n')
    chmodSync(folder, 0o755)
    server = await startService('postgres', { args: [`hba_file=${hba}`] })
    pool = connect(server.url, { max: 8 })
    await migrate({ pool })
    store = postgresStore({ pool })
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  const node = () => server.nodes[0] as OwnNode
  const closed = { code: 'IDEMPOTENCY_STORE_CLOSED', message: expect.stringMatching(/await drain\(\)/) }
  const withUser = (username: string, password = '') => Object.assign(new URL(server.url), { username, password }).href

  async function withStore(
    url: string,
    config: pg.PoolConfig,
    use: (store: PostgresRecordStore, pool: pg.Pool) => Promise<void>,
  ): Promise<void> {
    const own = connect(url, config)
    await use(postgresStore({ pool: own }), own).finally(() => own.end())
  }

  test('a server that only reads for now is unavailable, and the next connection is a new one', async () => {
    const { token } = await store.begin('demoted', claim())
    const admin = connect(server.url, { max: 1, options: '-c default_transaction_read_only=off' })
    const own = connect(server.url, { max: 1 })
    const demoted = postgresStore({ pool: own })
    await demoted.get('demoted')
    const [{ pid } = { pid: 0 }] = (await own.query('SELECT pg_backend_pid() AS pid')).rows
    /** Switches the whole server, sessions that are open included, and waits until they know. */
    const readOnly = async (value: 'on' | 'off') => {
      await admin.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`)
      await admin.query('SELECT pg_reload_conf()')
      const setting = { default_transaction_read_only: value }
      for (const sessions of [own, pool]) {
        await expect
          .poll(async () => (await sessions.query('SHOW default_transaction_read_only')).rows)
          .toEqual([setting])
      }
    }

    await readOnly('on')
    const onlyReads = unavailable('no', /25006.*only reads for now/)
    await expect(demoted.transition('demoted', token, completed('x'))).rejects.toMatchObject(onlyReads)
    const lost = unavailable('no', /session was lost/)
    await expect(demoted.transaction((tx) => demoted.bind(tx).begin('other', claim()))).rejects.toMatchObject(lost)
    // a statement of the caller in the same transaction is told as the store's is
    await expect(demoted.transaction((tx) => tx.query('CREATE TABLE mine ()'))).rejects.toMatchObject(lost)

    await readOnly('off')
    expect(await demoted.transition('demoted', token, completed('x'))).toEqual({ outcome: 'ok', applied: true })
    expect((await own.query('SELECT pg_backend_pid() AS pid')).rows).not.toEqual([{ pid }])
    await own.end()
    await admin.end()
  })

  test('57P01: a session that an administrator ends leaves unknown what it did', async () => {
    const key = randomUUID()
    await pool.query('CREATE TABLE IF NOT EXISTS mine (id text)')
    await store.transaction(async (tx) => {
      await store.bind(tx).begin(key, claim())
      const waiting = store.begin(key, claim({ owner: 'two' }))
      const told = expect(waiting).rejects.toMatchObject(unavailable('unknown', /57P01/))
      await someoneWaits(pool, 'retryproof')
      await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)
      await told
    })
    const ended = store.transaction(async (tx) => {
      const { rows } = await tx.query('SELECT pg_backend_pid() AS pid')
      await pool.query('SELECT pg_terminate_backend($1, 5000)', [rows[0].pid])
      await tx.query('INSERT INTO mine VALUES (1)')
    })
    // the COMMIT was never sent
    await expect(ended).rejects.toMatchObject(unavailable('no', /session was lost/))
  })

  test('57014: a statement that took longer than statement_timeout changed nothing', () =>
    withStore(server.url, { statement_timeout: 100 }, async (hasty) => {
      const key = randomUUID()
      await store.transaction(async (tx) => {
        await store.bind(tx).begin(key, claim())
        const late = hasty.begin(key, claim({ owner: 'two' }))
        await expect(late).rejects.toMatchObject(unavailable('no', /57014/))
      })
    }))

  test('53300: too many connections', async () => {
    await pool.query('CREATE ROLE crowded LOGIN CONNECTION LIMIT 0; GRANT ALL ON retryproof TO crowded')
    await withStore(withUser('crowded'), {}, async (crowded) => {
      await expect(crowded.begin('k', claim())).rejects.toMatchObject(unavailable('no', /53300.*raise max_connections/))
    })
  })

  test.each([
    ['28P01, a wrong password', 'secretive', 'wrong', /28P01.*check the settings/],
    ['no password at all', 'secretive', '', /SASL.*Check the password/],
    ['28000, a role that does not exist', 'nobody', '', /28000.*check the settings/],
    ['42501, a role that may not', 'poor', '', /42501.*SELECT, INSERT, UPDATE and DELETE/],
  ])('%s', async (_, user, password, said) => {
    await pool.query(`DO $$ BEGIN
      IF to_regrole('secretive') IS NULL THEN
        CREATE ROLE secretive LOGIN PASSWORD 'right'; CREATE ROLE poor LOGIN;
      END IF; END $$`)
    await withStore(withUser(user, password), {}, async (refused) => {
      await expect(refused.begin('k', claim())).rejects.toMatchObject(misconfigured(said))
    })
  })

  test('3D000, a database that does not exist; 42P01, a table that was dropped', async () => {
    await withStore(Object.assign(new URL(server.url), { pathname: '/none' }).href, {}, async (lost) => {
      await expect(lost.get('k')).rejects.toMatchObject(misconfigured(/3D000/))
    })
    await migrate({ pool, table: 'dropped' })
    const orphan = postgresStore({ pool, table: 'dropped' })
    await orphan.begin('k', claim())
    await pool.query('DROP TABLE dropped')
    await expect(orphan.begin('k', claim())).rejects.toMatchObject(misconfigured(/42P01.*run migrate\(\)/))
  })

  test('a pool, a client and a PGlite that the application ended', async () => {
    const ended = connect(server.url)
    const ofPool = postgresStore({ pool: ended })
    await ofPool.get('k')
    await ended.end()
    const client = new pg.Client(server.url)
    await client.connect()
    const ofClient = postgresStore({ pool: client })
    await ofClient.get('k')
    await client.end()
    const embedded = await PGlite.create()
    const ofEmbedded = postgresStore({ pool: embedded })
    await embedded.close()
    for (const call of [
      () => ofPool.begin('k', claim()),
      () => ofPool.transaction(() => 'never'),
      () => ofPool.purge({ limit: 1 }),
      () => ofClient.begin('k', claim()),
      () => ofEmbedded.begin('k', claim()),
    ]) {
      await expect(call()).rejects.toMatchObject(closed)
    }
  })

  test('a host with two addresses at which nobody listens', async () => {
    const stream = () => {
      const socket = new Socket()
      const connect = socket.connect.bind(socket) as (options: NetConnectOpts) => Socket
      return Object.assign(socket, {
        connect: (port: number, host: string) => connect({ port, host, autoSelectFamily: true, lookup: twoAddresses }),
      })
    }
    await withStore('postgres://two.addresses:1', { stream }, (absent) =>
      expect(absent.begin('k', claim())).rejects.toMatchObject(
        unavailable('no', /connect ECONNREFUSED 127\.0\.0\.1:1/),
      ),
    )
  })

  test('57P03: a server that shuts down; a refused connection; and back again', async () => {
    const held = await pool.connect()
    // a smart shutdown waits for the sessions that are open
    node().signal('SIGTERM')
    await withStore(server.url, {}, async (late) => {
      await expect
        .poll(() => late.get('k').catch((error) => error))
        .toMatchObject(unavailable('no', /57P03.*starts up or shuts down/))
    })
    held.release()
    await node().kill()
    // a session that the pool still takes for open would leave the outcome unknown
    await expect.poll(() => pool.totalCount).toBe(0)
    await expect(store.begin('k', claim())).rejects.toMatchObject(unavailable('no', /ECONNREFUSED/))
    await node().start()
    expect(await store.begin('back', claim())).toMatchObject({ outcome: 'acquired' })
  })
})
