/** Everything that a backend keeps is read past the store, and searched for what was said: payloads, results, steps, errors. */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compressed, createIdempotency, encrypted, type IdempotencyStore, unreplayable } from '@retryproof/core'
import { describe, expect, test } from 'vitest'
import type { BackendName, Place } from '../src/place.ts'
import { openBackendOf, targets } from './targets.ts'

/** All that a backend keeps of a place. */
const dumps: Record<BackendName, (place: Place) => Promise<string>> = {
  async postgres({ url, name }) {
    const { default: pg } = await import('pg')
    const pool = new pg.Pool({ connectionString: url })
    const { rows } = await pool.query(`SELECT * FROM records_${name}`)
    await pool.end()
    return textOf(rows)
  },
  mariadb: dumpMysql,
  mysql: dumpMysql,
  async sqlite({ folder }) {
    const files = ['shop.db', 'shop.db-wal', 'shop.db-journal'].map((file) => join(folder, file)).filter(existsSync)
    return files.map((file) => readFileSync(file, 'latin1')).join('\n')
  },
  async mongodb({ url, name }) {
    const { MongoClient } = await import('mongodb')
    const client = new MongoClient(url)
    const collections = await client.db(`drill_${name}`).collections()
    const documents = await Promise.all(collections.map((each) => each.find({}, { raw: true }).toArray()))
    await client.close()
    return textOf(documents)
  },
  async redis({ url, name }) {
    const { Redis } = await import('ioredis')
    const client = new Redis(url)
    const keys = await client.keys(`drill:${name}:*`)
    // DUMP may pack what it gives; the record is looked at as it is
    const values = await Promise.all(keys.flatMap((key) => [client.getBuffer(key), client.dumpBuffer(key)]))
    await client.quit()
    return textOf([keys, values])
  },
}

async function dumpMysql({ url, name }: Place): Promise<string> {
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection(url)
  const [rows] = await connection.query(`SELECT * FROM records_${name}`)
  await connection.end()
  return textOf(rows)
}

/** Bytes as the characters that they are, wherever they stand. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, part]) => `${name} ${textOf(part)}`)
    .join('\n')
}

const said = {
  key: 'key-of-order-4711',
  scope: 'anna@example.org',
  payload: 'card-4242-4242',
  request: 'ship-to-baker-street',
  step: 'reserved-in-aisle-9',
  value: 'receipt-for-anna',
  summary: 'paid-by-phone',
  failure: 'limit-of-anna-exceeded',
}

/** One record of each kind: completed, failed, unreplayable, and one that is in progress after a step. */
async function fill(store: IdempotencyStore<unknown>, codecs: ReturnType<typeof encrypted>[]): Promise<void> {
  const secret = codecs.length > 0 ? { secret: 'sixteen bytes of secret' } : {}
  const idempotency = createIdempotency({
    store,
    namespace: 'dumps',
    codecs,
    ...secret,
    storeRequest: codecs.length > 0 ? 'encrypted' : 'plaintext',
    onFailure: 'store',
    lease: '10m',
  })
  const { scope, payload, request } = said
  const call = (key: string) => ({ operation: 'order', scope, key: said.key + key, payload: { payload }, request })
  await idempotency.run(call('-done'), () => said.value)
  await idempotency.run(call('-bare'), () => unreplayable(said.value, said.summary))
  await expect(idempotency.run(call('-failed'), () => Promise.reject(new Error(said.failure)))).rejects.toThrow(
    said.failure,
  )
  await new Promise<void>((resolve, reject) => {
    const unfinished = idempotency.run(call('-open'), async ({ step }) => {
      await step('reserve', () => said.step)
      resolve()
      return new Promise(() => {})
    })
    unfinished.catch(reject)
  })
  await idempotency.drain({ timeout: 0 })
}

const found = (dump: string) => Object.keys(said).filter((name) => dump.includes(said[name as keyof typeof said]))

for (const target of targets) {
  describe.skipIf(target.missing)(`a dump of ${target.backend}`, () => {
    const opened = openBackendOf(target)
    const dump = () => dumps[target.backend](opened.place())

    test('shows nothing of what was said where it is encrypted, and all but digests where it is not', async () => {
      const keys = { a: new Uint8Array(randomBytes(32)) }
      await fill(opened.backend().store, [compressed(), encrypted({ keys })])
      const sealed = await dump()
      expect(sealed).toContain('dumps.order.')
      expect(found(sealed)).toEqual([])

      await fill(opened.backend().store, [])
      // keys, scopes and payloads are digests anyhow; but requests keep them
      expect(found(await dump()).toSorted()).toEqual(
        Object.keys(said)
          .filter((name) => name !== 'payload')
          .toSorted(),
      )
    })

    test('keys rotate, and a record that was moved or relabelled does not decrypt', async () => {
      const [old, fresh] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))]
      const open = (keys: Record<string, Uint8Array>) =>
        createIdempotency({
          store: opened.backend().store,
          namespace: `rotation-${target.backend}`,
          secret: 'sixteen bytes of secret',
          codecs: [encrypted({ keys })],
          onFailure: 'store',
        })
      const never = () => Promise.reject(new Error('ran again'))
      const call = (key: string) => ({ operation: 'order', scope: 'anna', key, payload: { amount: 1 } })
      await open({ old }).run(call('early'), () => said.value)
      await open({ old, fresh }).run(call('late'), () => said.value)
      for (const key of ['early', 'late']) {
        expect(await open({ old, fresh }).run(call(key), never)).toMatchObject({ value: said.value, replayed: true })
      }
      expect(await open({ fresh }).run(call('late'), never)).toMatchObject({ value: said.value, replayed: true })
      await expect(open({ fresh }).run(call('early'), never)).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDECODABLE' })

      const moved = open({ old })
      await expect(moved.run(call('failed'), () => Promise.reject(new Error('no')))).rejects.toThrow('no')
      const failed = await replaceResult(call('failed'), (bytes) => bytes)
      const relabelled = Buffer.from(failed.toString('latin1').replace('failure:', 'value:'), 'latin1')
      for (const planted of [failed, relabelled]) {
        await replaceResult(call('failed'), () => planted)
        await expect(moved.run(call('failed'), never)).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDECODABLE' })
      }
      const early = await replaceResult(call('early'), (bytes) => bytes)
      await moved.run(call('other'), () => 'its own')
      await replaceResult(call('other'), () => early)
      await expect(moved.run(call('other'), never)).rejects.toMatchObject({ code: 'IDEMPOTENCY_UNDECODABLE' })

      /** As whoever can write to the store, but has no key: settles the record anew, as completed. */
      async function replaceResult(
        reference: ReturnType<typeof call>,
        change: (result: Buffer) => Uint8Array,
      ): Promise<Buffer> {
        const { key } = (await moved.inspect(reference)) ?? {}
        const { store } = opened.backend()
        const record = key && (await store.get(key))
        if (!key || !record) throw new Error(`${reference.key} is not in the store`)
        const result = Buffer.from(record.result ?? [])
        await store.transition(key, record.token, { to: 'forgotten', tombstoneMs: 1000 })
        const claim = { owner: 'o', fingerprint: record.fingerprint, leaseMs: 1000, retentionMs: 600_000 }
        const { token } = await store.begin(key, claim)
        await store.transition(key, token, { to: 'completed', result: change(result), retentionMs: 600_000 })
        return result
      }
    })
  })
}
