/** No member of Node's responses is missing in the table of the differential suite. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import { Stream } from 'node:stream'
import { expect, it } from 'vitest'
import type { Application } from '../../../../conformance/src/http/differential/application.ts'
import type { NodeEnding } from '../../../../conformance/src/http/differential/endings/node-ending.ts'
import { http2Endings, nodeEndings } from '../../../../conformance/src/http/differential/endings/node-endings.ts'
import {
  gapsOf,
  membersOf,
  touchedMembers,
  watched,
} from '../../../../conformance/src/http/differential/touched-members.ts'
import { plainApplication } from './differential/applications.ts'

const shared = [Stream.prototype, Object.prototype]

it.each<[Application['protocol'], readonly NodeEnding[], object, Readonly<Record<string, string>>]>([
  [
    'HTTP/1.1',
    nodeEndings,
    ServerResponse.prototype,
    { assignSocket: 'the server calls it', writeHeader: 'an old name of writeHead' },
  ],
  [
    'HTTP/2',
    http2Endings,
    Http2ServerResponse.prototype,
    { destroy: 'a client takes an answer that was destroyed for complete' },
  ],
])(
  'each member of a response of %s is used by a handler of the table',
  async (protocol, endings, prototype, silent) => {
    const touched = await touchedMembers<[ServerResponse, IncomingMessage]>(
      endings,
      (names, [res, req]) => [watched(res, names), req],
      (given) => plainApplication('Node', protocol, given),
    )
    expect(gapsOf(membersOf(prototype, shared), touched, silent)).toEqual([])
  },
)
