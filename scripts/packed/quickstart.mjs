// `node quickstart.mjs README.md memoryStore LOADER`: runs the first program of a text that has this store and listens, as it
// stands there but for its port, and sends it the curl that follows, twice. The second answer must be a replay of the first,
// with every line that the text shows.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

const [file, store, loader] = process.argv.slice(2)
const blocks = [...readFileSync(file, 'utf8').matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, kind, code]) => ({
  kind,
  code,
}))
const at = blocks.findIndex(
  ({ kind, code }) => kind === 'ts' && code.includes(`${store}(`) && /listen\(|port: /.test(code),
)
const program = blocks[at].code
const command = blocks
  .slice(at)
  .find(({ kind, code }) => kind === 'sh' && code.startsWith('curl'))
  .code.trim()
const shown = blocks.slice(at).find(({ kind, code }) => kind === '' && code.startsWith('HTTP/1.1'))?.code ?? ''

const port = await freePort()
const name = `${file.replace(/\W/g, '-')}-${store}.ts`
writeFileSync(name, program.replaceAll('3000', port))
const app = spawn(process.execPath, ['--import', loader, name], { stdio: 'inherit' })
try {
  await listening()
  const send = () =>
    execFileSync('sh', ['-c', command.replace('curl', 'curl -s').replace('localhost:3000', `127.0.0.1:${port}`)], {
      encoding: 'utf8',
    })
  const [first, second] = [send(), send()]
  if (!/^HTTP\/1.1 2\d\d/.test(first) || isReplay(first)) throw new Error(`the first answer is no success: ${first}`)
  if (!isReplay(second) || bodyOf(second) !== bodyOf(first))
    throw new Error(`the second answer is no replay: ${second}`)
  const lines = second.toLowerCase().split(/\r?\n/)
  const lacking = shown
    .toLowerCase()
    .split('\n')
    .filter((line) => line && !lines.includes(line))
  if (lacking.length > 0) throw new Error(`the answer lacks ${JSON.stringify(lacking)}: ${second}`)
} finally {
  app.kill()
}

function isReplay(answer) {
  return /^idempotency-replayed: true\r?$/im.test(answer)
}

function bodyOf(answer) {
  return answer.slice(answer.indexOf('\r\n\r\n'))
}

async function listening() {
  for (let tries = 0; tries < 400; tries++) {
    if (app.exitCode !== null) throw new Error('the program ended')
    if (await fetch(`http://127.0.0.1:${port}`).catch(() => null)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the program does not listen')
}

async function freePort() {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}
