/** Calls that share a command: fewer commands, and each call with its own answer, error and wait. */
import { checks } from '@retryproof/conformance'
import { isIdempotencyError, type RecordView } from '@retryproof/core/store'
import fc from 'fast-check'
import type { MongoClient, MongoClientOptions } from 'mongodb'
import { expect, onTestFinished, test } from 'vitest'
import { services } from '../../../scripts/services.mjs'
import { mongodbStore } from '../src/index.ts'
import { bytes, claimOf, clientModes, connect, databaseOf, freshKey, migrated, text } from './fixtures.ts'
import { type Fate, openProxy } from './proxy.ts'

const retentionMs = 3_600_000
const completed = (result: string) => ({ to: 'completed', result: bytes(result), retentionMs }) as const
const keys = (count: number, prefix = freshKey()) => Array.from({ length: count }, (_, index) => `${prefix}.${index}`)
const isInsertion = (command: string) => command.includes('$replaceWith') && command.includes('upsert')

for (const { title, url } of await services('mongodb')) {
  async function open(options: MongoClientOptions = {}, at = url) {
    const client = connect(at, options)
    onTestFinished(() => client.close())
    const collection = await migrated(client)
    const store = mongodbStore({ collection })
    const single = mongodbStore({ collection, batch: false })
    await store.get('opens a connection')
    return { client, collection, store, single }
  }

  /** A store on a client of its own, in front of which each command has the fate that it is given. */
  async function through(client: MongoClient, name: string, fateOf: (command: string) => Fate) {
    const proxy = await openProxy(url, fateOf)
    const far = connect(proxy.url, { retryWrites: false })
    onTestFinished(() => proxy.close())
    onTestFinished(() => far.close())
    const store = mongodbStore({ collection: databaseOf(far).collection(name) })
    await store.get('opens a connection')
    return { proxy, store, collection: databaseOf(client).collection<{ _id: string }>(name) }
  }

  const races = checks.filter(({ id, needs }) => /^C1(-|8)/.test(id) && needs.length === 0)
  test.each(races)(`${title}, all clients on one store: $id $title`, { timeout: 60_000 }, async (check) => {
    const { store } = await open()
    await check.run({ open: () => store })
  })

  test(`${title}: 64 fresh calls take few commands, and replay what each has recorded`, async () => {
    const { client, collection } = await open()
    const { proxy, store } = await through(client, collection.collectionName, () => 'pass')
    const all = keys(64)
    let before = proxy.commands
    const begun = await Promise.all(
      all.map((key, index) => store.begin(key, claimOf(key, { request: Uint8Array.of(index, 0, 255) }))),
    )
    expect(begun.map(({ outcome, attempt }) => [outcome, attempt])).toEqual(Array(64).fill(['acquired', 1]))
    expect(proxy.commands - before).toBeLessThan(16)
    const leases = { leaseRemainingMs: 60_000, retentionRemainingMs: 60_000 + retentionMs }
    for (const reply of begun) expect(reply).toMatchObject(leases)

    before = proxy.commands
    const settle = (result: (index: number) => string) =>
      Promise.all(begun.map(({ token }, index) => store.transition(all[index] ?? '', token, completed(result(index)))))
    expect(await settle((index) => `result ${index}`)).toEqual(Array(64).fill({ outcome: 'ok', applied: true }))
    expect(proxy.commands - before).toBeLessThan(16)
    expect(await settle(() => 'another')).toEqual(Array(64).fill({ outcome: 'ok', applied: false }))

    before = proxy.commands
    const replays = await Promise.all(all.map((key) => store.begin(key, claimOf('another'))))
    expect(replays.map(({ result }) => text(result))).toEqual(all.map((_, index) => `result ${index}`))
    expect(proxy.commands - before).toBeLessThan(16)
    expect((await store.get(all[7] ?? ''))?.request).toEqual(Uint8Array.of(7, 0, 255))
  })

  test(`${title}: calls that arrive together have the answers that they have one by one`, async () => {
    const { store: together, single, collection } = await open()
    const large = 'x'.repeat(200_000)
    const [held, fresh, foreign] = [keys(8), keys(8), freshKey()]
    await collection.insertOne({ _id: foreign, total: 12 })
    for (const [index, key] of held.entries()) {
      const claim = claimOf('one', { leaseMs: index % 2 ? 0 : 60_000, request: bytes(key) })
      const { token } = await single.begin(key, claim)
      if (index > 3) await single.transition(key, token, completed(index === 7 ? large : key))
      if (index === 6) await single.transition(key, token, { to: 'forgotten', tombstoneMs: 60_000 })
      if (index === 2) await single.transition(key, token, { to: 'parked', retentionMs })
    }
    const of = (name: string, list: string[], more = {}) => list.map((key) => together.begin(key, claimOf(name, more)))
    const [first, second, other, wrong, refused] = await Promise.all([
      Promise.all(of('two', [...fresh, ...held])),
      Promise.all(of('two', [...fresh, ...held])),
      Promise.all(of('three', fresh)),
      Promise.all(of('four', fresh, { fingerprint: 'other' })),
      Promise.allSettled(of('five', [foreign])),
    ])
    const mine = { outcome: 'acquired', state: 'in_progress', fingerprint: 'fingerprint', attempt: 1, result: null }
    // of two calls with one owner the other one may have come first
    const leases = { leaseRemainingMs: expect.any(Number), retentionRemainingMs: expect.any(Number) }
    for (const reply of first.slice(0, 8)) {
      expect(reply).toEqual({
        ...mine,
        ...leases,
        interrupted: false,
        request: null,
        checkpoint: null,
        token: reply.token,
      })
    }
    expect(second.map(({ token }) => token)).toEqual(first.map(({ token }) => token))
    expect((await Promise.all(fresh.map((key) => single.get(key)))).map((record) => record?.token)).toEqual(
      first.slice(0, 8).map(({ token }) => token),
    )
    expect(other.map(({ outcome }) => outcome)).toEqual(Array(8).fill('in_progress'))
    expect(wrong.map(({ outcome }) => outcome)).toEqual(Array(8).fill('mismatch'))
    expect(first.slice(8).map(({ outcome, attempt, interrupted }) => [outcome, attempt, interrupted])).toEqual([
      ['in_progress', 1, false],
      ['acquired', 2, true],
      ['settled', 1, false],
      ['acquired', 2, true],
      ['settled', 1, false],
      ['settled', 1, false],
      ['acquired', 1, false],
      ['settled', 1, false],
    ])
    expect([text(first[12]?.result), text(first[15]?.result)]).toEqual([held[4], large])
    expect(text(first[9]?.request)).toBe(held[1])
    expect(refused).toMatchObject([{ status: 'rejected', reason: { code: 'IDEMPOTENCY_STORE_MISCONFIGURED' } }])
    expect(await collection.findOne({ _id: foreign })).toEqual({ _id: foreign, total: 12 })
  })

  test(`${title}: settlements that arrive together are answered as they are one by one`, async () => {
    const { store, single, collection } = await open()
    const all = keys(20)
    const begun = await Promise.all(all.map((key) => store.begin(key, claimOf(key))))
    const fates = [
      'holds',
      'holds',
      'absent',
      'stale',
      'lapsed',
      'expired',
      'parked',
      'released',
      'completed',
      'failed',
    ]
    const prepare = async (key: string, token: number, fate: string | undefined) => {
      if (fate === 'parked' || fate === 'failed') {
        await single.transition(
          key,
          token,
          fate === 'parked' ? { to: fate, retentionMs } : { ...completed('f'), to: fate },
        )
      }
      if (fate === 'released') await single.transition(key, token, { to: fate, delayMs: 0, retentionMs })
      if (fate === 'completed') await single.transition(key, token, completed('first'))
      if (fate === 'absent') await collection.deleteOne({ _id: key })
      if (fate === 'expired') await collection.updateOne({ _id: key }, { $set: { expiresAt: new Date(0) } })
      if (fate === 'lapsed') await collection.updateOne({ _id: key }, { $set: { leaseUntil: new Date(0) } })
    }
    await Promise.all(all.map((key, index) => prepare(key, begun[index]?.token ?? 0, fates[index % 10])))
    const replies = await Promise.all(
      begun.map(({ token }, index) =>
        store.transition(all[index] ?? '', fates[index % 10] === 'stale' ? token - 1 : token, completed('second')),
      ),
    )
    const expected: Record<string, string> = {
      holds: 'applied',
      lapsed: 'applied',
      parked: 'applied',
      completed: 'repeated',
    }
    expect(
      replies.map((reply) => (reply.outcome === 'lost' ? 'lost' : reply.applied ? 'applied' : 'repeated')),
    ).toEqual(all.map((_, index) => expected[fates[index % 10] ?? ''] ?? 'lost'))
    const found = await Promise.all(all.map((key) => single.get(key)))
    const kept: Record<string, (record: RecordView | null | undefined) => unknown> = {
      absent: (record) => expect(record).toBeNull(),
      expired: (record) => expect(record).toBeNull(),
      stale: (record) => expect(record?.state).toBe('in_progress'),
      released: (record) => expect(record?.state).toBe('released'),
      failed: (record) => expect(text(record?.result)).toBe('f'),
      completed: (record) => expect(text(record?.result)).toBe('first'),
    }
    const isSecond = (record: RecordView | null | undefined) =>
      expect(record).toMatchObject({ state: 'completed', result: bytes('second'), checkpoint: null })
    for (const [index, record] of found.entries()) (kept[fates[index % 10] ?? ''] ?? isSecond)(record)
    expect(await collection.countDocuments({ _id: { $in: all } })).toBe(18)
  })

  test(`${title}: many calls of few keys are answered by one of each`, { timeout: 120_000 }, async () => {
    const { store } = await open()
    const calls = fc.array(fc.record({ key: fc.nat(5), owner: fc.nat(3) }), { minLength: 3, maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(calls, async (list) => {
        const prefix = freshKey()
        const replies = await Promise.all(
          list.map(({ key, owner }) => store.begin(`${prefix}.${key}`, claimOf(`owner ${owner}`))),
        )
        const winners = new Map<number, { owner: number; token: number }>()
        replies.forEach(({ outcome, token }, index) => {
          const { key = 0, owner = 0 } = list[index] ?? {}
          if (outcome !== 'acquired') return
          expect(winners.get(key) ?? { owner, token }).toEqual({ owner, token })
          winners.set(key, { owner, token })
        })
        list.forEach(({ key, owner }, index) => {
          const winner = winners.get(key)
          expect(replies[index]).toMatchObject({
            outcome: winner?.owner === owner ? 'acquired' : 'in_progress',
            token: winner?.token,
            attempt: 1,
          })
        })
      }),
      { numRuns: 40 },
    )
  })

  test.each(Object.entries(clientModes))(`${title}: a client with %s shares commands`, async (_, options) => {
    const other = await open(options)
    const counted: string[] = []
    const watched = connect(url, { ...options, monitorCommands: true })
    onTestFinished(() => watched.close())
    watched.on('commandStarted', ({ commandName, command }) => {
      counted.push(commandName)
      if (commandName === 'find')
        expect(command.readConcern).toEqual({ level: 'majority', afterClusterTime: expect.anything() })
    })
    const store = mongodbStore({ collection: databaseOf(watched).collection(other.collection.collectionName) })
    const all = keys(20)
    const begun = await Promise.all(all.map((key) => store.begin(key, claimOf(key))))
    expect(begun.map(({ outcome }) => outcome)).toEqual(Array(20).fill('acquired'))
    const settled = await Promise.all(
      begun.map(({ token }, n) => store.transition(all[n] ?? '', token, completed(`${n}`))),
    )
    expect(settled).toEqual(Array(20).fill({ outcome: 'ok', applied: true }))
    const replays = await Promise.all(all.map((key) => store.begin(key, claimOf('another'))))
    expect(replays.map(({ token, result }) => [token, text(result)])).toEqual(
      begun.map(({ token }, n) => [token, `${n}`]),
    )
    expect(counted.filter((name) => name === 'update').length).toBeGreaterThanOrEqual(3)
  })

  test(`${title}: a call that the server refuses has an error of its own`, async () => {
    const { client } = await open()
    const name = `strict_${Date.now()}`
    const validator = { _id: { $not: /refused$/ } }
    await databaseOf(client).createCollection(name, { validator })
    const store = mongodbStore({ collection: databaseOf(client).collection(name) })
    const answers = await Promise.all(
      [...keys(20), `${freshKey()}.refused`, ...keys(20)].map((key) =>
        store.begin(key, claimOf(key)).then(
          ({ outcome }) => outcome,
          (error: unknown) => isIdempotencyError(error, 'IDEMPOTENCY_STORE_MISCONFIGURED'),
        ),
      ),
    )
    expect(answers).toEqual([...Array(20).fill('acquired'), true, ...Array(20).fill('acquired')])
  })

  test(`${title}: a key that a transaction holds holds up the others for a short time`, async () => {
    const { store } = await open()
    const held = freshKey()
    let waited: Promise<unknown>[] = []
    await store.transaction(async (tx) => {
      await store.bind(tx).begin(held, claimOf('inside'))
      const others = keys(20)
      const begun = [held, held, ...others, held].map((key) => store.begin(key, claimOf(key)))
      waited = [...begun.splice(22, 1), ...begun.splice(0, 2)]
      expect((await Promise.all(begun)).every(({ outcome, attempt }) => outcome === 'acquired' && attempt === 1)).toBe(
        true,
      )
    })
    expect(await Promise.all(waited)).toEqual(Array(3).fill(expect.objectContaining({ outcome: 'in_progress' })))
  })

  test(`${title}: a record that a transaction holds holds up the settlements of others for a short time`, async () => {
    const { store } = await open()
    const all = keys(20)
    const begun = await Promise.all(all.map((key) => store.begin(key, claimOf(key))))
    const send = (index: number) => store.transition(all[index] ?? '', begun[index]?.token ?? 0, completed('outside'))
    let held: Promise<unknown> | undefined
    await store.transaction(async (tx) => {
      await store.bind(tx).transition(all[10] ?? '', begun[10]?.token ?? 0, completed('inside'))
      const sent = all.map((_, index) => send(index))
      held = sent.splice(10, 1)[0]
      expect((await Promise.all(sent)).every(({ outcome }) => outcome === 'ok')).toBe(true)
    })
    expect(await held).toEqual({ outcome: 'ok', applied: false })
  })

  test.each(['lose reply', 'lose command'] as const)(
    `${title}: where a batch meets '%s', the outcome of each call is unknown, and none is sent again`,
    async (fate) => {
      const { client, collection, single } = await open()
      let batches = 0
      const isBatch = (command: string) => isInsertion(command) && command.split('upsert').length > 3
      const far = await through(client, collection.collectionName, (command) =>
        isBatch(command) && ++batches === 1 ? fate : 'pass',
      )
      const all = keys(40)
      const answers = await Promise.allSettled(all.map((key) => far.store.begin(key, claimOf(key))))
      const lost = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
      expect(lost.length).toBeGreaterThan(1)
      for (const error of lost)
        expect(error).toMatchObject({ code: 'IDEMPOTENCY_STORE_UNAVAILABLE', applied: 'unknown' })
      expect(new Set(lost).size).toBe(lost.length)
      const repeated = await Promise.all(all.map((key) => single.begin(key, claimOf(key))))
      expect(repeated.map(({ outcome, attempt }) => [outcome, attempt])).toEqual(Array(40).fill(['acquired', 1]))
    },
  )

  test(`${title}: a record that is replaced before its token is read leaves its call unknown`, async () => {
    const { collection } = await open()
    const all = keys(20)
    const find = async function* (filter: object, options: object) {
      await collection.updateOne({ _id: all[10] ?? '' }, { $set: { owner: 'another' } })
      yield* collection.find(filter, options)
    }
    const proxied = new Proxy(collection, {
      get: (target, name) => (name === 'find' ? find : Reflect.get(target, name, target)),
    })
    const store = mongodbStore({ collection: proxied })
    const answers = await Promise.allSettled(all.map((key) => store.begin(key, claimOf(key))))
    const failed = answers.flatMap((answer, index) => (answer.status === 'rejected' ? [index] : []))
    expect(failed).toContain(10)
    expect(answers[10]).toMatchObject({ reason: { applied: 'unknown' } })
  })

  test(`${title}: a client that its application closed says so to each call of a batch`, async () => {
    const { store, client } = await open()
    await client.close()
    const answers = await Promise.allSettled(keys(20).map((key) => store.begin(key, claimOf(key))))
    for (const answer of answers) expect(answer).toMatchObject({ reason: { code: 'IDEMPOTENCY_STORE_CLOSED' } })
  })

  test.each([Number.NaN, Infinity, 1.5, undefined, null, '$token'])(
    `${title}: the token %s changes no record, alone or with others`,
    async (token) => {
      const { store, single } = await open()
      const all = keys(20)
      await Promise.all(all.map((key) => store.begin(key, claimOf(key))))
      const settle = (by: typeof store, key: string) =>
        by.transition(key, token as number, completed('')).then(
          ({ outcome }) => outcome,
          (error: Error) => error.message,
        )
      const alone = await settle(single, all[0] ?? '')
      expect(await Promise.all(all.map((key) => settle(store, key)))).toEqual(Array(20).fill(alone))
      const found = await Promise.all(all.map((key) => store.get(key)))
      expect(found.map((record) => record?.state)).toEqual(Array(20).fill('in_progress'))
    },
  )

  test(`${title}: bytes are those of the call, whatever its caller does with them afterwards`, async () => {
    const { store } = await open()
    const all = keys(20)
    const requests = all.map((key) => bytes(key))
    const begun = all.map((key, index) => store.begin(key, claimOf(key, { request: requests[index] ?? bytes('') })))
    for (const request of requests) request.fill(0)
    const tokens = (await Promise.all(begun)).map(({ token }) => token)
    const results = all.map((key) => bytes(key))
    const settled = all.map((key, n) =>
      store.transition(key, tokens[n] ?? 0, { ...completed(''), result: results[n] ?? bytes('') }),
    )
    for (const result of results) result.fill(0)
    await Promise.all(settled)
    const found = await Promise.all(all.map((key) => store.get(key)))
    expect(found.map((record) => [text(record?.request), text(record?.result)])).toEqual(all.map((key) => [key, key]))
  })
}
