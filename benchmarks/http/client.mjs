// The client of the HTTP benchmark. It writes plain text to sockets, so that the server is always the slower side. It never sleeps
// while it sends: to wake it costs the server's process more than to write the answer does.
import { connect } from 'node:net'

const HEAD_END = '\r\n\r\n'

/** Sends so many requests over so many connections, each of them one request after the other. @throws for an answer that is no 201 */
export async function load({ port, connections, count, path, body, key }) {
  let left = count
  let isOver = false
  const stayAwake = () => {
    if (!isOver) setImmediate(stayAwake)
  }
  stayAwake()
  const next = () => {
    if (left === 0) return undefined
    left--
    return [
      `POST ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `Idempotency-Key: ${key()}`,
      '',
      body,
    ].join('\r\n')
  }
  try {
    await Promise.all(Array.from({ length: connections }, () => sendAll(port, next)))
  } finally {
    isOver = true
  }
}

/** Sends requests over one connection until there are no more. */
function sendAll(port, next) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let missing = 0
    const send = () => {
      const request = next()
      if (request) socket.write(request)
      else socket.end()
    }
    socket.on('connect', send).on('error', reject).on('close', resolve)
    socket.on('data', (chunk) => {
      const expected = missing || lengthOf(chunk)
      if (!expected) return void socket.destroy(new Error(`was answered with ${chunk.latin1Slice()}`))
      missing = expected - chunk.length
      if (missing === 0) send()
    })
  })
}

/** Bytes of the answer whose head is at the start of the chunk; `undefined` where it is not the 201 that is expected. */
function lengthOf(chunk) {
  const end = chunk.indexOf(HEAD_END)
  const head = chunk.latin1Slice(0, end)
  const [, length] = /^content-length: (\d+)$/im.exec(head) ?? []
  return head.startsWith('HTTP/1.1 201') && length ? end + HEAD_END.length + Number(length) : undefined
}
