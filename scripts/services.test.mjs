// The servers of tests end with whoever started them, however that ends; a run starts each of them once.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startService, unavailable } from './services.mjs'

const execute = promisify(execFile)
const services = fileURLToPath(new URL('services.mjs', import.meta.url))
const missing = await unavailable('redis')
const skip = missing === undefined ? false : missing
const environment = { ...process.env, CI: '', REDIS_URL: '', RETRYPROOF_SERVICES: '' }

/** Starts a Redis, prints what it is as JSON, then does what `ending` says. */
const program = (ending) => `
  const { startService } = await import(${JSON.stringify(services)})
  const { url, nodes: [{ pid }] } = await startService('redis')
  console.log(JSON.stringify({ url, pid }))
  ${ending}`
/** Asks for the shared Redis, and prints its URL. */
const asking = `const { service } = await import(${JSON.stringify(services)}); console.log((await service('redis')).url)`

const endings = [
  ['ends', '', undefined],
  ['throws', 'throw new Error("on purpose")', undefined],
  ['is killed', 'setInterval(() => {}, 1000)', 'SIGKILL'],
  ['is interrupted', 'setInterval(() => {}, 1000)', 'SIGINT'],
]
for (const [what, ending, signal] of endings) {
  test(`a server is gone when the process that started it ${what}`, { skip }, async () => {
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program(ending)], {
      env: environment,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = new Promise((resolve) => parent.once('exit', resolve))
    const [line] = await new Promise((resolve) =>
      createInterface(parent.stdout).once('line', (text) => resolve([text])),
    )
    const { pid } = JSON.parse(line)
    if (signal) {
      assert.ok(isRunning(pid))
      parent.kill(signal)
    }
    await exited
    await until(() => !isRunning(pid))
  })
}

test('a node can be killed and started again, on the same port; nothing is left of a service that was stopped', {
  skip,
}, async () => {
  const { nodes, stop, url, version } = await startService('redis', { durable: true })
  const [node] = nodes
  assert.match(url, /^redis:\/\/127\.0\.0\.1:\d+$/)
  assert.match(version, /^\d+\.\d+/)
  const { pid, port } = node
  await node.kill()
  assert.ok(!isRunning(pid))
  await node.start()
  assert.equal(node.port, port)
  assert.notEqual(node.pid, pid)
  await stop()
  assert.ok(!isRunning(node.pid))
})

const brokers = await Promise.all(['rabbitmq', 'kafka', 'sqs'].map(async (name) => [name, await unavailable(name)]))
test('a broker that was killed comes back on the same port, and answers', { concurrency: true }, async (t) => {
  const restart = async (name) => {
    const { nodes, stop } = await startService(name, { durable: true })
    const [node] = nodes
    assert.match(node.version, /^\d+\.\d+\.\d+$/)
    const { pid, url } = node
    await node.kill()
    assert.ok(!isRunning(pid))
    await node.start()
    assert.equal(node.url, url)
    assert.ok(isRunning(node.pid))
    await stop()
    assert.ok(!isRunning(node.pid))
  }
  const tests = brokers.map(([name, why]) => t.test(name, { skip: why ?? false }, () => restart(name)))
  await Promise.all(tests)
})

test('one start serves everybody in a run, and a table says what ran', { skip }, async () => {
  const twice = 'node --input-type=module -e "$ASKING" & node --input-type=module -e "$ASKING"; wait'
  const env = { ...environment, ASKING: asking }
  const { stdout } = await execute(process.execPath, [services, 'run', '--', 'sh', '-c', twice], { env })
  const urls = stdout.match(/^redis:.*$/gm)
  assert.equal(urls?.length, 2)
  assert.equal(urls[0], urls[1])
  assert.match(stdout, /server +version +from\nredis +\d+\.\d+/)
})

test('a run ends with the exit code of its command', async () => {
  const run = execute(process.execPath, [services, 'run', '--', 'sh', '-c', 'exit 7'], { env: environment })
  await assert.rejects(run, { code: 7 })
})

test('each URL of the environment is given, and one that does not answer is an error', { skip }, async () => {
  const [one, other] = [await startService('redis'), await startService('redis')]
  const listing = `const { services } = await import(${JSON.stringify(services)})
    for (const { title, url } of await services('redis')) console.log(title, url)`
  const list = (REDIS_URL) =>
    execute(process.execPath, ['--input-type=module', '-e', listing], { env: { ...environment, REDIS_URL } })
  const { stdout } = await list(`${one.url} ${other.url}`)
  assert.equal(stdout, `redis ${one.version} ${one.url}\nredis ${other.version} ${other.url}\n`)
  await other.stop()
  await assert.rejects(list(`${one.url} ${other.url}`), /REDIS_URL is set, but .* does not answer/)
  await one.stop()
})

test('what cannot be had is not tested, and an error in CI', async () => {
  const nothing = `process.env.PATH = ''
    const { service } = await import(${JSON.stringify(services)})
    console.log((await service('memcached')).missing)`
  const ask = (CI) =>
    execute(process.execPath, ['--input-type=module', '-e', nothing], {
      env: { ...environment, MEMCACHED_URL: '', CI },
    })
  assert.match((await ask('')).stdout, /no memcached on the PATH/)
  await assert.rejects(ask('1'), /CI is set/)
})

function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition) {
  const giveUpMs = performance.now() + 20_000
  while (!condition()) {
    assert.ok(performance.now() < giveUpMs, 'it did not happen in 20 s')
    await delay(20)
  }
}
