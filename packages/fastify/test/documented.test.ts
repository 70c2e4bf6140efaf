/** No member of Fastify's reply is missing in the table of the differential suite. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { expect, it } from 'vitest'
import {
  gapsOf,
  membersOf,
  touchedMembers,
  watched,
} from '../../../conformance/src/http/differential/touched-members.ts'
import { fastifyApplication } from './differential/applications.ts'
import { fastifyEndings } from './differential/endings.ts'

const silent = {
  elapsedTime: 'it differs each time',
  getDecorator: 'it reads what a plug-in has added',
  log: 'it writes to the log',
  request: 'it is the request',
  routeOptions: 'it describes the route',
  server: 'it is the application',
}

it('each member of a reply is used by a handler of the table', async () => {
  let members: readonly string[] = []
  const touched = await touchedMembers<[FastifyRequest, FastifyReply]>(
    fastifyEndings,
    (names, [request, reply]) => {
      members = membersOf(reply)
      return [request, watched(reply, names)]
    },
    (given) => fastifyApplication('Fastify', 'HTTP/1.1', given),
  )
  expect(gapsOf(members, touched, silent)).toEqual([])
})
