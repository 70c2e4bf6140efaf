/** A store written as a class passes the suite, bare and behind each wrapper of ours. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faulty } from '@retryproof/conformance'
import { describeStore } from '@retryproof/conformance/vitest'
import { guardStore, type IdempotencyStore } from '@retryproof/core'
import type { Change, Claim, ListQuery } from '@retryproof/core/store'
import { memoryStore } from '@retryproof/memory'
import { instrumentStore } from '@retryproof/opentelemetry'
import { migrate, sqliteStore } from '@retryproof/sqlite'
import { lruCache, tieredStore } from '@retryproof/tiered'
import Database from 'better-sqlite3'
import { afterAll, expect, test } from 'vitest'

type Full<Tx> = IdempotencyStore<Tx> & Required<Pick<IdempotencyStore<Tx>, 'purge' | 'list'>>

/** Methods on the prototype, all state in a private field: a spread copies nothing of it. */
class Records<Tx = never> {
  readonly #records: Full<Tx>

  constructor(records: Full<Tx>) {
    this.#records = records
  }

  get capabilities() {
    return this.#records.capabilities
  }

  begin(key: string, claim: Claim) {
    return this.#records.begin(key, claim)
  }

  transition(key: string, token: number, change: Change) {
    return this.#records.transition(key, token, change)
  }

  get(key: string) {
    return this.#records.get(key)
  }

  purge(options: { limit: number; graceMs?: number }) {
    return this.#records.purge(options)
  }

  list(query: ListQuery) {
    return this.#records.list(query)
  }
}

class WatchedRecords extends Records {
  readonly #watched: Required<Pick<IdempotencyStore, 'watch'>>

  constructor(records: ReturnType<typeof memoryStore>) {
    super(records)
    this.#watched = records
  }

  watch(key: string, onChange: () => void, signal: AbortSignal) {
    return this.#watched.watch(key, onChange, signal)
  }
}

type Sqlite = ReturnType<typeof sqliteStore>
type SqliteTx = Sqlite extends IdempotencyStore<infer Tx> ? Tx : never

class TransactionalRecords extends Records<SqliteTx> {
  readonly #transactional: Sqlite

  constructor(records: Sqlite) {
    super(records)
    this.#transactional = records
  }

  bind(tx: SqliteTx) {
    return this.#transactional.bind(tx)
  }

  transaction<T>(work: (tx: SqliteTx) => T | Promise<T>) {
    return this.#transactional.transaction(work)
  }
}

const folder = mkdtempSync(join(tmpdir(), 'retryproof-class-'))
const file = join(folder, 'records.db')
const first = new Database(file)
await migrate({ database: first })
first.close()
afterAll(() => rmSync(folder, { recursive: true }))

type Now = (() => number) | undefined
type Wrap = <Tx>(store: IdempotencyStore<Tx>, now: Now) => IdempotencyStore<Tx>

const wrappers: Record<string, Wrap> = {
  bare: (store) => store,
  guardStore: (store) => guardStore(store, (call) => call()),
  tieredStore: (durable, now) => tieredStore({ cache: lruCache(), durable, now }),
  instrumentStore: (store) => instrumentStore(store),
  faulty: (store) => faulty(store, []),
}

for (const [name, wrap] of Object.entries(wrappers)) {
  describeStore(`a class that watches, ${name}`, {
    open: ({ now }) => wrap(new WatchedRecords(memoryStore({ now })), now),
  })
  test(`a class with transactions keeps every operation, ${name}`, () => {
    const store = wrap(new TransactionalRecords(sqliteStore({ database: new Database(file) })), undefined)
    const { begin, transition, get, purge, list, watch, bind, transaction } = store
    expect([begin, transition, get, purge, list, bind, transaction].map((member) => typeof member)).toEqual(
      Array(7).fill('function'),
    )
    expect(watch).toBeUndefined()
  })
  // each opening has a cache of its own here, and a cache learns late what another process forgot
  if (name === 'tieredStore') continue
  describeStore(`a class with transactions, ${name}`, {
    open: ({ now }) => wrap(new TransactionalRecords(sqliteStore({ database: new Database(file), now })), now),
  })
}
