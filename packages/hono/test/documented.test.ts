/** No member of Hono's context is missing in the table of the differential suite. */
import type { Context } from 'hono'
import { expect, it } from 'vitest'
import {
  gapsOf,
  membersOf,
  touchedMembers,
  watched,
} from '../../../conformance/src/http/differential/touched-members.ts'
import { honoApplication } from './differential/applications.ts'
import { honoEndings } from './differential/endings.ts'

const silent = {
  env: 'the platform gives it',
  error: 'it is what an error handler gets',
  event: 'the platform gives it',
  executionCtx: 'the platform gives it',
  finalized: 'Hono itself asks for it',
  get: 'it reads a value for handlers',
  set: 'it keeps a value for handlers',
  var: 'it has the values for handlers',
}

it('each member of a context is used by a handler of the table', async () => {
  let members: readonly string[] = []
  const touched = await touchedMembers<[Context]>(
    honoEndings.filter(({ end }) => end === 'answered'),
    (names, [c]) => {
      members = membersOf(c)
      return [watched(c, names)]
    },
    (given) => honoApplication('Hono', 'HTTP/1.1', given),
  )
  expect(gapsOf(members, touched, silent)).toEqual([])
})
