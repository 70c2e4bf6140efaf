import type { IdempotencyStore } from '@retryproof/core'
import type { Change } from '@retryproof/core/store'
import fc from 'fast-check'
import { appliedOf } from './history.ts'

/** The next call of one client in a concurrent history. `beside`: without waiting for its answer, as a heartbeat does. */
export interface ScriptStep {
  readonly beside: boolean
  readonly call:
    | { readonly op: 'get' }
    | {
        readonly op: 'begin'
        /** Sent again, with the owner of this client's last begin. */
        readonly again: boolean
        readonly fingerprint: string
        readonly leaseMs: number
        readonly retentionMs: number
      }
    | {
        readonly op: 'transition'
        /** The attempt whose token is used: the latest that this client acquired, the latest that anybody saw, or an older one. */
        readonly token: 'own' | 'latest' | 'older'
        readonly to: Change['to']
        readonly ms: number
        readonly retentionMs: number
        readonly seq: number | null
      }
}

/** The calls that several clients make at once with one key. */
export type Scripts = readonly (readonly ScriptStep[])[]

const HOUR_MS = 3_600_000
// over at once or not at all, so that no clock decides anything but the order of things
const ms = fc.constantFrom(0, HOUR_MS, 2 * HOUR_MS)
const noNullPrototype = true

const begin = fc.record(
  {
    op: fc.constant('begin' as const),
    again: fc.oneof({ arbitrary: fc.constant(false), weight: 4 }, { arbitrary: fc.constant(true), weight: 1 }),
    fingerprint: fc.oneof({ arbitrary: fc.constant('one'), weight: 9 }, { arbitrary: fc.constant('other'), weight: 1 }),
    leaseMs: ms,
    retentionMs: ms,
  },
  { noNullPrototype },
)
const transition = fc.record(
  {
    op: fc.constant('transition' as const),
    token: fc.oneof(
      { arbitrary: fc.constantFrom('own' as const, 'latest' as const), weight: 5 },
      { arbitrary: fc.constant('older' as const), weight: 1 },
    ),
    to: fc.constantFrom<Change['to'][]>(
      'renew',
      'renew',
      'completed',
      'failed',
      'released',
      'released',
      'parked',
      'forgotten',
    ),
    ms,
    retentionMs: ms,
    seq: fc.option(fc.nat({ max: 4 })),
  },
  { noNullPrototype },
)
const step: fc.Arbitrary<ScriptStep> = fc.record(
  {
    beside: fc.boolean(),
    call: fc.oneof(
      { arbitrary: begin, weight: 5 },
      { arbitrary: transition, weight: 6 },
      { arbitrary: fc.constant({ op: 'get' as const }), weight: 1 },
    ),
  },
  { noNullPrototype },
)

export const CLIENTS = 6

export const scripts: fc.Arbitrary<Scripts> = fc.array(fc.array(step, { minLength: 3, maxLength: 7, size: 'max' }), {
  minLength: 3,
  maxLength: CLIENTS,
  size: 'max',
})

/** Runs each script on a store of its own, all at once. A call whose outcome is unknown ends nothing: its client goes on. */
export async function runScripts(
  all: Scripts,
  stores: readonly IdempotencyStore<unknown>[],
  key: string,
): Promise<void> {
  const seen: number[] = []
  await Promise.all(
    stores.slice(0, all.length).map((store, client) => runScript(all[client] ?? [], client, store, key, seen)),
  )
}

async function runScript(
  script: readonly ScriptStep[],
  client: number,
  store: IdempotencyStore<unknown>,
  key: string,
  seen: number[],
): Promise<void> {
  let begins = 0
  let own = 1
  const see = (token: number) => {
    if (!seen.includes(token)) seen.unshift(token)
  }
  const bytes = (index: number) => new TextEncoder().encode(`${client}/${index}`)

  async function call({ call }: ScriptStep, index: number): Promise<void> {
    if (call.op === 'get') {
      const view = await store.get(key)
      if (view) see(view.token)
    } else if (call.op === 'begin') {
      if (!call.again) begins++
      const { fingerprint, leaseMs, retentionMs } = call
      const claim = { owner: `${client}/${begins}`, fingerprint, leaseMs, retentionMs, request: bytes(index) }
      const reply = await store.begin(key, claim)
      see(reply.token)
      if (reply.outcome === 'acquired') own = reply.token
    } else {
      const token = call.token === 'own' ? own : (seen[call.token === 'latest' ? 0 : 1] ?? own)
      await store.transition(key, token, changeOf(call, bytes(index)))
    }
  }

  const failures: unknown[] = []
  const besides: Promise<void>[] = []
  for (const [index, step] of script.entries()) {
    const done = call(step, index).catch((error: unknown) => {
      if (appliedOf(error) === undefined) failures.push(error)
    })
    if (step.beside) besides.push(done)
    else await done
  }
  await Promise.all(besides)
  if (failures.length > 0) throw failures[0]
}

function changeOf(call: Extract<ScriptStep['call'], { op: 'transition' }>, data: Uint8Array): Change {
  const { to, ms, retentionMs, seq } = call
  switch (to) {
    case 'renew':
      return { to, leaseMs: ms, retentionMs, ...(seq !== null && { checkpoint: { seq, data } }) }
    case 'completed':
    case 'failed':
      return { to, result: data, retentionMs }
    case 'released':
      return { to, delayMs: ms, retentionMs, unresolved: seq === 0 }
    case 'parked':
      return { to, retentionMs }
    case 'forgotten':
      return { to, tombstoneMs: ms }
  }
}
