// Checks the words of the compiler where an option is wrong, or where a store has no transactions: each says what to write.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const durations = ['number', ...['ms', 's', 'm', 'h', 'd'].map((unit) => `\`\${number}${unit}\``)].join(' | ')
const advice = 'NoTransactions<"take postgresStore({ pool: new pg.Pool() }), or another store that has some">'

/** Wrong lines, and what the compiler has to say of each. */
const mistakes = [
  ["memory.transaction(call, async (tx) => tx.query('SELECT 1'))", advice],
  ["memory.operation('a').transaction(call, async (tx) => tx.query('SELECT 1'))", advice],
  ["own.transaction(call, async (tx) => tx.query('SELECT 1'))", advice],
  ["single.transaction(call, async (tx) => tx.query('SELECT 1'))", advice],
  ["express(redis, { ...guard, transaction: true }, async (_req, _res, { tx }) => tx.query('SELECT 1'))", advice],
  ["fastify(memory, { ...guard, transaction: true }, async (_req, _reply, { tx }) => tx.query('SELECT 1'))", advice],
  ["hono(memory, { ...guard, transaction: true }, async (_c, { tx }) => tx.query('SELECT 1'))", advice],
  ["koa(memory, { ...guard, transaction: true }, async (_ctx, { tx }) => tx.query('SELECT 1'))", advice],
  ["fetch(memory, { ...guard, transaction: true }, async (_request, { tx }) => tx.query('SELECT 1'))", advice],
  ["createIdempotency({ ...options, lease: '24 hours' })", durations],
  ["createIdempotency({ ...options, onInProgress: { wait: '2 seconds' } })", durations],
  ["createIdempotency({ ...options, lese: '24h' })", "Did you mean to write 'lease'?"],
  ["createIdempotency({ ...options, onFailure: 'retyr' })", `Did you mean '"retry"'?`],
  ["createIdempotency({ ...options, onTakeover: 'ask' })", '"rerun" | "park"'],
  ['createIdempotency({ store: memoryStore() })', "Property 'namespace' is missing"],
  ['memory.run({ ...call, payLoad: 1 }, () => 1)', "Did you mean to write 'payload'?"],
  ["express(memory, { operation: 'a' })", "Property 'scope' is missing"],
  ['express(memory, { ...guard, transactions: true })', "Did you mean to write 'transaction'?"],
  ["express(memory, { ...guard, maxRetryAfter: '2 seconds' })", durations],
  ["express(memory, { ...guard, record: 'everything' })", '"final" | "success" | "all"'],
  ["createIdempotentFetch({ keepFor: '24 hours' })", durations],
  ['createIdempotentFetch({ storag: undefined })', "Did you mean to write 'storage'?"],
  ["createIdempotentFetch().fetch('/charges', { body: '{}' })", "Property 'key' is missing"],
]

const head = `
import { createIdempotency } from '@retryproof/core'
import type { IdempotencyStore } from '@retryproof/core/store'
import { createIdempotentFetch } from '@retryproof/client'
import { idempotent as express } from '@retryproof/express'
import { idempotent as fastify } from '@retryproof/fastify'
import { idempotent as hono } from '@retryproof/hono'
import { idempotent as fetch } from '@retryproof/http/fetch'
import { idempotent as koa } from '@retryproof/koa'
import { memoryStore } from '@retryproof/memory'
import { postgresStore } from '@retryproof/postgres'
import { redisStore } from '@retryproof/redis'
import { Redis } from 'ioredis'
import pg from 'pg'
declare const ownStore: IdempotencyStore
const options = { store: memoryStore(), namespace: 'a' }
const memory = createIdempotency(options)
const redis = createIdempotency({ store: redisStore({ client: new Redis() }), namespace: 'a' })
const single = createIdempotency({ store: postgresStore({ pool: new pg.Client() }), namespace: 'a' })
const own = createIdempotency({ store: ownStore, namespace: 'a' })
const call = { operation: 'a', scope: 'a', key: 'k' }
const guard = { scope: () => 'a', operation: 'a' }
`

const told = diagnostics([head, ...mistakes.map(([line]) => line)].join('\n'), head.split('\n').length)
const problems = mistakes.flatMap(([line, wanted], index) => {
  const said = told.filter(({ line }) => line === index).map(({ text }) => text)
  return said.some((text) => text.includes(wanted)) ? [] : [`${line}\n  says ${said.join('\n') || 'nothing'}`]
})
const others = told.filter(({ line }) => line < 0).map(({ text }) => text)
for (const problem of [...problems, ...others]) console.error(problem)
console.log(`Type errors: ${mistakes.length} mistakes, ${problems.length} without the words that help.`)
process.exitCode = problems.length + others.length > 0 ? 1 : 0

/** The errors of a program in docs/, where every package is installed; lines are counted from `first`. */
function diagnostics(source, first) {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const file = join(root, 'docs/mistakes.ts')
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2023) : getSourceFile(name, ...rest)
  const program = ts.createProgram([file], { ...options, lib: undefined }, host)
  return program.getSemanticDiagnostics(program.getSourceFile(file)).map(({ file: where, start, messageText }) => ({
    line: where.getLineAndCharacterOfPosition(start).line - first,
    text: ts.flattenDiagnosticMessageText(messageText, '\n'),
  }))
}
