/** A session at every store, as docs/cli has it. `npx vitest run -u test/transcripts.test.ts` writes the files anew. */
import { responseSerializer } from '@retryproof/http'
import { expect, test } from 'vitest'
import { openTarget } from '../src/target/open-target.ts'
import { onEachStore } from './stores.ts'
import { run } from './terminal.ts'

const owner = { scope: ['tenant_7', 'user_42'], key: 'k' }

/** Leaves two results, a parked payment and a parked route. */
async function makeRecords(store: string, table: string): Promise<(operation: string) => string> {
  const io = { env: {}, cwd: import.meta.dirname, now: Date.now } as Parameters<typeof openTarget>[0]
  const target = await openTarget(io, { store, table, namespace: 'shop' })
  const shop = target.instance()
  await shop.run({ ...owner, operation: 'charge' }, () => ({ id: 'ch_1', amount: 100, token: 'tok_secret' }))
  await shop.run({ operation: 'export', scope: 'else', key: 'k' }, () => 'done')
  for (const [operation, serializer] of [['refund'], ['POST /orders', responseSerializer]] as const) {
    const parking = shop.operation(operation, { maxAttempts: 1, onTakeover: 'park', ...(serializer && { serializer }) })
    await parking.run(owner, () => Promise.reject(new Error('broken'))).catch(() => undefined)
    await parking.run(owner, () => 1).catch(() => undefined)
  }
  const keys: string[] = []
  for await (const { key } of shop.list()) keys.push(key)
  await target.close()
  return (operation) => keys.find((key) => key.startsWith(`shop.${operation}.`)) ?? ''
}

/** Replaces what differs from run to run: the table, times, tokens; and the line ends of CSV. */
function settled(text: string, table: string): string {
  return text
    .replaceAll(table, 'retryproof')
    .replaceAll('\r\n', '\n')
    .replace(/\b\d{16}\b/g, '1795770000000000')
    .replace(/(?<!records )\bin \d+[dhms]( \d+[hms])?\b/g, 'in 23h 59m')
    .replace(/\b86[34]\d{5}\b/g, '86399900')
    .replace(/records in \d+(ms|s|m)( \d+s)?\b/g, 'records in 12ms')
}

const names: Readonly<Record<string, string>> = {
  postgres: 'PostgreSQL',
  mysql: 'MySQL or MariaDB',
  mongodb: 'MongoDB',
  redis: 'Redis',
  sqlite: 'SQLite',
}

await onEachStore(
  ({ kind, url, table, title }) => {
    test(`the session at ${title}`, { timeout: 30_000 }, async () => {
      const lines: string[] = []
      const at = ['--store', url, '--table', table]
      const type = async (...args: readonly string[]) => {
        const { exitCode, out, err } = await run([...args, ...at])
        const typed = args.map((arg) => (/^[\w./-]+$/.test(arg) ? arg : `'${arg}'`)).join(' ')
        lines.push(
          `$ retryproof ${typed.replaceAll('fixtures/', '')}\n${out}${err}${exitCode === 0 ? '' : `(exit code ${exitCode})\n`}`,
        )
      }
      await type('schema')
      await type('migrate')
      await type('check')
      const keyOf = await makeRecords(url, table)
      await type('stats')
      await type('watch', '--every', '1', '--times', '1')
      await type('list')
      await type('list', '--state', 'parked', '--limit', '1')
      await type('list', '--operation', 'charge', '--csv')
      await type('inspect', keyOf('charge'))
      await type('inspect', keyOf('refund'))
      await type('resolve', keyOf('refund'), '--completed', 'fixtures/refund.json')
      await type('resolve', keyOf('refund'), '--completed', 'fixtures/refund.json', '--yes')
      await type('resolve', keyOf('post-orders'), '--response', 'fixtures/order.json', '--yes')
      await type('inspect', keyOf('post-orders'), '--json')
      await type('forget', keyOf('export'), '--yes')
      await type('inspect', keyOf('export'))
      await type('erase', '--namespace', 'shop', '--scope', 'tenant_7', '--scope', 'user_42', '--yes')
      await type('list')
      await type('purge')
      const session = `<!-- written by packages/cli/test/transcripts.test.ts -->\n# A session at ${names[kind]}\n\n`
      const text = settled(`${session}\`\`\`console\n${lines.join('\n')}\`\`\`\n`, table)
      await expect(text).toMatchFileSnapshot(`../../../docs/cli/${kind}.md`)
    })
  },
  { durable: true },
)
