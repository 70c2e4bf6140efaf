/** Handlers of a plain server that fail. */
import { setImmediate as turn } from 'node:timers/promises'
import type { NodeEnding } from '../../../../../conformance/src/http/differential/endings/node-ending.ts'
import { thrownValues } from '../../../../../conformance/src/http/differential/endings/thrown-values.ts'

const threw = (name: string, handle: NodeEnding['handle']): NodeEnding => ({ name, end: 'threw', handle })

export const http2Failures: readonly NodeEnding[] = [
  ...thrownValues.flatMap(({ name, make }) => [
    threw(`throws ${name}`, () => {
      throw make()
    }),
    threw(`rejects with ${name}`, async () => {
      await turn()
      throw make()
    }),
  ]),
  threw('sets headers, then throws', (res) => {
    res.statusCode = 201
    res.setHeader('X-One', '1')
    throw new Error('declined')
  }),
  { name: 'never answers', end: 'silent', handle: () => {} },
]

/** Those of HTTP/1.1 alone: a client of HTTP/2 takes a part that was cut for complete, and HTTP/2 refuses no text of a header. */
export const plainFailures: readonly NodeEnding[] = [
  ...http2Failures,
  threw('writes a part, then throws', (res) => {
    res.write('part')
    throw new Error('declined')
  }),
  threw('writes a part, then rejects', async (res) => {
    res.write('part')
    await turn()
    throw new Error('declined')
  }),
  threw('writes a head, then throws', (res) => {
    res.writeHead(201)
    throw new Error('declined')
  }),
  threw('sets a header that is refused', (res) => res.setHeader('X-Name', '\u65e5\u672c').end()),
  threw('writes a head with a header that is refused', (res) => {
    res.writeHead(201, { 'X-One': '1', 'X-Name': '\u65e5\u672c' }).end()
  }),
]
