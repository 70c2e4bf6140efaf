import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIdempotency, encrypted, type Idempotency } from '@retryproof/core'
import { operationSlug } from '@retryproof/core/internal'
import { responseSerializer } from '@retryproof/http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exitCodes } from '../src/exit-codes.ts'
import { openTarget } from '../src/target/open-target.ts'
import type { Target } from '../src/target/target.ts'
import { onEachStore } from './stores.ts'
import { done, run } from './terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'retryproof-cli-files-'))
function file(name: string, value: unknown): string {
  writeFileSync(join(folder, name), JSON.stringify(value))
  return join(folder, name)
}

const HOSTILE = '\u001b[2J\u202e<script>alert(1)</script>\u0007\u009b31m'
const PASSWORD = 'hunter2-hunter2'
const owner = { scope: ['tenant_7', 'user_42'], key: 'k' }

const LISTED = 'key state attempt interrupted token leaseRemainingMs leaseExpiredMs retentionRemainingMs'.split(' ')

/** A storage key of an operation, of nobody's scope and key. */
const storageKeyOf = (operation: string) => `shop.${operationSlug(operation)}.${'5'.repeat(64)}`

/** Characters that could move the cursor or turn a line around. */
function hostileIn(text: string): string[] {
  return text.match(/[\p{Cc}\p{Cf}]/gu)?.filter((character) => character !== '\n') ?? []
}

await onEachStore(({ kind, url, table }) => {
  describe(kind, () => {
    const at = ['--store', url, '--table', table]
    const keys = new Map<string, string>()
    const keyOf = (operation: string) => keys.get(operation) ?? ''
    let target: Target
    let shop: Idempotency

    beforeAll(async () => {
      await done(['migrate', ...at])
      const io = { env: {}, cwd: import.meta.dirname, now: Date.now } as Parameters<typeof openTarget>[0]
      target = await openTarget(io, { store: url, table, namespace: 'shop' })
      shop = target.instance()
      await shop.run({ ...owner, operation: 'charge' }, () => ({ note: HOSTILE, password: PASSWORD, amount: 100 }))
      await shop.run({ operation: 'large', scope: 'else', key: 'k' }, () => 'x'.repeat(1024 * 1024))
      for (const [operation, serializer] of [['refund'], ['POST /orders', responseSerializer]] as const) {
        const parking = shop.operation(operation, {
          maxAttempts: 1,
          onTakeover: 'park',
          ...(serializer && { serializer }),
        })
        await parking.run(owner, () => Promise.reject(new Error('broken'))).catch(() => undefined)
        await parking.run(owner, () => 1).catch(() => undefined)
      }
      for await (const { key } of shop.list()) keys.set(key.split('.')[1] ?? '', key)
      expect([...keys.keys()].sort()).toEqual(['charge', 'large', 'post-orders', 'refund'])
    })
    afterAll(() => target.close())

    test('schema and migrate --dry-run print the same', async () => {
      const { out } = await done(['schema', ...at])
      expect(out.length).toBeGreaterThan(20)
      expect(JSON.parse((await done(['schema', '--json', ...at])).out)).toEqual({ schema: out })
      expect(JSON.parse((await done(['migrate', '--json', ...at])).out)).toEqual({ migrated: true })
      expect((await done(['migrate', '--dry-run', ...at])).out).toBe(out)
    })

    test('list shows records as a table, as CSV and as JSON, page by page, with filters', async () => {
      const { out } = await done(['list', ...at])
      expect(out.split('\n')[0]).toMatch(/^KEY +STATE +ATTEMPT +LEASE +EXPIRES$/)
      for (const key of keys.values()) expect(out).toContain(key)
      const { records } = JSON.parse((await done(['list', '--json', ...at, '--operation', 'refund'])).out)
      expect(Object.keys(records[0]).sort()).toEqual([...LISTED].sort())
      expect(records[0].state).toBe('parked')
      const pages: string[] = []
      for (let after: string | null = ''; after !== null; ) {
        const ran = await done(['list', ...at, '--json', '--limit', '3', '--after', after])
        const page = JSON.parse(ran.out) as { records: { key: string }[]; next: string | null }
        pages.push(...page.records.map(({ key }) => key))
        after = page.next
      }
      expect(pages).toEqual([...keys.values()].sort())
      const parked = await done(['list', ...at, '--state', 'parked', '--csv'])
      const cells = parked.out.split('\r\n').slice(1, -1)
      expect(cells.map((line) => line.split(',')[0])).toEqual([keyOf('post-orders'), keyOf('refund')].sort())
      expect((await done(['list', ...at, '--operation', 'POST /orders'])).out.split('\n')).toHaveLength(3)
      const scoped = ['list', ...at, '--namespace', 'shop', '--scope', 'tenant_7', '--scope', 'user_42', '--json']
      expect(JSON.parse((await done(scoped)).out).records).toHaveLength(3)
      const none = await done(['list', ...at, '--namespace', 'nobody'])
      expect([none.out, none.err]).toEqual(['', 'No records.\n'])
    })

    test('turns of purges are counted and listed nowhere', async () => {
      const { store } = target
      if (!store) throw new Error('The target has no store.')
      const turn = storageKeyOf('retryproof purge')
      const { token } = await store.begin(turn, {
        owner: 'o',
        fingerprint: 'purge',
        leaseMs: 1000,
        retentionMs: 60_000,
      })
      const listed = JSON.parse((await done(['list', ...at, '--json', '--limit', '4'])).out)
      expect(listed.records.map(({ key }: { key: string }) => key)).toEqual([...keys.values()].sort())
      expect(JSON.parse((await done(['stats', ...at, '--json'])).out).total).toBe(4)
      expect((await done(['list', ...at, '--state', 'in-progress'])).err).toBe('No records.\n')
      await store.transition(turn, token, { to: 'forgotten', tombstoneMs: 0 })
    })

    test('inspect of a value that it cannot decode says how it can', async () => {
      const codecs = [encrypted({ keys: { k1: new Uint8Array(32) } })]
      const store = target.store
      if (!store) throw new Error('The target has no store.')
      const vault = createIdempotency({ store, namespace: 'shop', secret: 's'.repeat(32), purge: false, codecs })
      await vault.run({ ...owner, operation: 'sealed' }, () => 1)
      for await (const { key } of vault.list({ operation: 'sealed' })) {
        expect((await done(['inspect', key, ...at])).out).toMatch(/unreadable .*aes256gcm.*--config FILE/s)
        await vault.forget({ key })
      }
    })

    test('inspect decodes a record, redacts what looks like a credential, and shows no control character', async () => {
      const { out } = await done(['inspect', keyOf('charge'), ...at])
      expect(out).toContain('"amount": 100')
      expect(out).toContain('\\u{202e}<script>')
      expect(hostileIn(out)).toEqual([])
      expect(out).not.toContain(PASSWORD)
      const json = await done(['inspect', keyOf('charge'), ...at, '--json', '--no-redact'])
      expect(hostileIn(json.out)).toEqual([])
      expect(JSON.parse(json.out).value).toEqual({ note: HOSTILE, password: PASSWORD, amount: 100 })
      const large = await done(['inspect', keyOf('large'), ...at])
      expect(large.out.length).toBeLessThan(6000)
      const route = await done(['inspect', keyOf('post-orders'), ...at])
      expect(route.out).toMatch(/--response FILE\n.*--rerun/s)
      expect(route.out).not.toContain('--completed')
      const absent = await run(['inspect', `${keyOf('charge').slice(0, -4)}0000`, ...at])
      expect(absent.exitCode).toBe(exitCodes.notFound)
      expect((await run(['inspect', 'order-1', ...at])).exitCode).toBe(exitCodes.usage)
    })

    test('stats and watch count by operation and state', async () => {
      const { total, counts } = JSON.parse((await done(['stats', ...at, '--json'])).out)
      expect(total).toBe(4)
      const refund = { operation: 'refund', state: 'parked', records: 1, leaseExpired: 0, longestExpiredMs: 0 }
      expect(counts).toContainEqual(refund)
      expect((await done(['stats', ...at])).out).toMatch(/4 records\n$/)
      const [head] = (await done(['stats', ...at, '--csv'])).out.split('\r\n')
      expect(head).toBe('operation,state,records,leaseExpired,longestExpiredMs')
      const sized = JSON.parse((await done(['stats', ...at, '--size', '--json'])).out)
      const isTold = kind !== 'redis'
      expect(sized.bytes === null ? 0 : sized.bytes).toBeGreaterThanOrEqual(isTold ? 1024 : 0)
      expect((await done(['stats', ...at, '--size'])).out).toMatch(isTold ? / MiB with indexes\n$/ : /does not tell\n$/)
      const watched = await done(['watch', ...at, '--every', '1', '--times', '2'])
      expect(watched.out).toBe('4 records, 2 parked\n4 records, +0 in 1 s, 2 parked\n')
    })

    test('a parked payment is resolved, and its client gets the answer', async () => {
      const key = keyOf('refund')
      expect((await run(['resolve', key, ...at])).exitCode).toBe(exitCodes.usage)
      const given = ['resolve', key, '--completed', file('refund.json', { id: 're_1' }), ...at]
      const unasked = await run(given)
      expect([unasked.exitCode, unasked.err]).toEqual([exitCodes.usage, expect.stringMatching(/--yes/)])
      const denied = await run(given, { answer: false })
      expect([denied.exitCode, denied.questions[0]]).toEqual([exitCodes.refused, expect.stringContaining(key)])
      await done(given, { answer: true })
      const replayed = await shop.run({ ...owner, operation: 'refund' }, () => 'again')
      expect(replayed).toMatchObject({ value: { id: 're_1' }, replayed: true })
      expect((await run([...given, '--yes'])).exitCode).toBe(exitCodes.refused)
    })

    test('a guarded route is resolved with a response alone', async () => {
      const key = keyOf('post-orders')
      const refused = await run(['resolve', key, '--yes', '--completed', file('order.json', { id: 1 }), ...at])
      expect([refused.exitCode, refused.err]).toEqual([exitCodes.refused, expect.stringMatching(/--response/)])
      const response = file('response.json', { status: 201, body: { id: 'ord_1' } })
      await done(['resolve', key, '--yes', '--response', response, ...at])
      const { out } = await done(['inspect', key, ...at, '--json'])
      expect(JSON.parse(out)).toMatchObject({ state: 'completed', value: { status: 201, body: { id: 'ord_1' } } })
    })

    test('forget and erase delete what they say, and purge removes what has expired', async () => {
      expect((await run(['forget', keyOf('large'), ...at])).exitCode).toBe(exitCodes.usage)
      await done(['forget', keyOf('large'), ...at], { answer: true })
      expect((await run(['inspect', keyOf('large'), ...at])).exitCode).toBe(exitCodes.notFound)
      const erasing = ['erase', '--namespace', 'shop', '--scope', 'tenant_7', '--scope', 'user_42', ...at]
      const denied = await run(erasing, { answer: false })
      expect(denied.questions[0]).toMatch(/Erase 3 records of the scope \["tenant_7","user_42"\]/)
      expect((await done([...erasing, '--yes'])).out).toBe('Erased 3 records.\n')
      expect((await run([...erasing, '--yes'])).exitCode).toBe(exitCodes.notFound)
      const purged = await run(['purge', ...at])
      if (kind === 'redis') expect(purged.err).toMatch(/by itself/)
      else expect(purged.out).toMatch(/^Removed \d+ expired records/)
    })
  })
})

test.each(['postgres', 'mysql', 'redis'])(
  'a %s that is down ends with a code of its own; no password is shown',
  async (scheme) => {
    const { exitCode, err, out } = await run(['stats', '--store', `${scheme}://operator:${PASSWORD}@127.0.0.1:1/shop`])
    expect(exitCode).toBe(exitCodes.unavailable)
    expect(err + out).not.toContain(PASSWORD)
  },
)

test('a driver that the project lacks is named, with what to install', async () => {
  const { exitCode, err } = await run(['stats', '--store', 'postgres://127.0.0.1/shop'], { cwd: folder })
  expect([exitCode, err]).toEqual([exitCodes.usage, expect.stringMatching(/npm install @retryproof\/postgres pg/)])
})

// the sources of the core are compiled for it, too
test('a configuration in TypeScript exports an instance', { timeout: 120_000 }, async () => {
  const config = join(import.meta.dirname, 'fixtures', 'retryproof.config.ts')
  expect(JSON.parse((await done(['stats', '--config', config, '--json'])).out)).toMatchObject({ total: 1 })
  expect((await run(['stats', '--config', 'missing.ts'])).exitCode).toBe(exitCodes.usage)
})

test('unknown commands, options and addresses end with 2, help with 0', async () => {
  const store = ['--store', 'sqlite:none.db']
  for (const args of [
    ['nothing'],
    ['list', '--limit', '0'],
    ['list', '--store', 'ftp://x'],
    ['list'],
    ['list', '--json', '--csv', ...store],
    ['completion', 'powershell'],
  ])
    expect([args, (await run(args)).exitCode]).toEqual([args, exitCodes.usage])
  for (const option of ['--help', '--version']) expect((await run([option])).exitCode).toBe(exitCodes.done)
})

test.each(['bash', 'zsh', 'fish'])('completion for %s names every command', async (shell) => {
  const { out } = await done(['completion', shell])
  for (const name of [
    'schema',
    'migrate',
    'check',
    'list',
    'inspect',
    'resolve',
    'forget',
    'erase',
    'purge',
    'stats',
    'watch',
  ])
    expect(out).toContain(name)
})

test.each([
  ['retryproof li', ['list']],
  ['retryproof --store x li', ['list']],
  ['retryproof --na', ['--namespace']],
  ['retryproof list --sco', ['--scope']],
  ['retryproof list --state p', ['parked']],
  ['retryproof completion z', ['zsh']],
])('bash completes %s', async (line, expected) => {
  const { out } = await done(['completion', 'bash'])
  const words = line.split(' ')
  const script = `${out}COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _retryproof; echo "\${COMPREPLY[@]}"`
  expect(spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim().split(' ')).toEqual(expected)
})
