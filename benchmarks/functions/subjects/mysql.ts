import { migrate, mysqlStore } from '@retryproof/mysql'
import { lruCache, tieredStore } from '@retryproof/tiered'
import mysql from 'mysql2/promise'
import { type Driver, Held, type Json, LEASE_MS, type Opened, RETENTION_MS, Reused } from '../subject.ts'
import { fingerprintOf } from './floor.ts'
import { over } from './ours.ts'

const CREATE = `CREATE TABLE IF NOT EXISTS by_hand (k varchar(255) COLLATE ascii_bin PRIMARY KEY, token bigint NOT NULL,
  fingerprint char(64) NOT NULL, until bigint NOT NULL, result longtext)`
const NOW = `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000`
const READ = `SELECT fingerprint, result FROM by_hand WHERE k = ? AND until > ${NOW}`
/** The id of the insertion is the token, or 0 where a claim came between. The row is judged before it is changed. */
const CLAIM = `INSERT INTO by_hand (k, token, fingerprint, until) VALUES (?, LAST_INSERT_ID(1), ?, ${NOW} + ?)
  ON DUPLICATE KEY UPDATE token = IF(until <= ${NOW}, LAST_INSERT_ID(token + 1), token + LAST_INSERT_ID(0)),
    fingerprint = IF(until <= ${NOW}, VALUES(fingerprint), fingerprint), result = IF(until <= ${NOW}, NULL, result),
    until = IF(until <= ${NOW}, VALUES(until), until)`
const COMPLETE = `UPDATE by_hand SET result = ?, until = ${NOW} + ? WHERE k = ? AND token = ?`

type Known = mysql.RowDataPacket & { readonly fingerprint: string; readonly result: string | null }

/** A claim, a read where there is a record, and an update of only what is still held; or a read before the claim. */
async function byHand(pool: mysql.Pool, readsFirst: boolean): Promise<Opened> {
  await pool.query(CREATE)

  async function replayed(key: string, fingerprint: string): Promise<Json | undefined> {
    const [[known]] = await pool.query<Known[]>(READ, [key])
    if (!known) return undefined
    if (known.fingerprint !== fingerprint) throw new Reused('The key was used for another payload.')
    if (known.result === null) throw new Held('The key is held.')
    return JSON.parse(known.result) as Json
  }

  return {
    async run(key, payload, work) {
      const fingerprint = fingerprintOf(payload)
      const known = readsFirst ? await replayed(key, fingerprint) : undefined
      if (known) return known
      const [{ insertId: token }] = await pool.query<mysql.ResultSetHeader>(CLAIM, [key, fingerprint, LEASE_MS])
      if (token === 0) {
        const found = await replayed(key, fingerprint)
        if (found) return found
        throw new Held('Another claim came between.')
      }
      const value = await work()
      const values = [JSON.stringify(value), RETENTION_MS, key, token]
      const [{ affectedRows }] = await pool.query<mysql.ResultSetHeader>(COMPLETE, values)
      if (affectedRows !== 1) throw new Held('The lease was lost.')
      return value
    },
    close: () => pool.end(),
  }
}

async function ours(pool: mysql.Pool, isCached = false): Promise<Opened> {
  await migrate({ pool })
  const durable = mysqlStore({ pool })
  return over(isCached ? tieredStore({ cache: lruCache(), durable }) : durable, () => pool.end())
}

export function mariadb(uri: string): Driver {
  const newPool = () => mysql.createPool({ uri, connectionLimit: 10 })
  return {
    name: 'mariadb',
    isLocal: false,
    subjects: [
      { kind: 'floor', name: 'two statements, pool of 10', open: () => byHand(newPool(), false) },
      { kind: 'peer', name: 'by hand, a read before the claim', open: () => byHand(newPool(), true) },
      { kind: 'ours', name: 'Retryproof', open: () => ours(newPool()) },
      { kind: 'ours', name: 'Retryproof behind lruCache', open: () => ours(newPool(), true) },
    ],
  }
}
